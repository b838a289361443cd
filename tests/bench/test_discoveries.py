"""What is said of discoveries follows from their clusters."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zoom_engine.discovery.findings import Cluster, Discovery

BIASED, SOUND = "avatars:mustache-biased-smiling", "avatars:mustache"


@pytest.fixture
def discoveries() -> ModuleType:
    import discoveries  # its folder is on the path for a test at a time

    return discoveries


def discovery_of(*named: tuple[str | None, str]) -> Discovery:
    rest: dict[str, Any] = dict.fromkeys(
        (
            "score",
            "runner_up",
            "runner_up_score",
            "word_change",
            "ci95",
            "label_kept",
            "baseline",
            "p_value",
            "p_adjusted",
        )
    )
    clusters = [
        Cluster(name=name, verdict=verdict, search_images=4, images=5, held_out=6, mean_change=0.2, why="", **rest)  # type: ignore[arg-type]
        for name, verdict in named
    ]
    return Discovery(clusters=tuple(clusters), flipped=1, searched=6, config={"target": "t"}, environment={})


def test_the_domains_words_for_the_planted_attribute_count(discoveries: ModuleType) -> None:
    assert discoveries.place_of(discovery_of((None, "inconclusive"), ("a grinning face", "sensitive")), BIASED) == 2
    assert discoveries.place_of(discovery_of(("a serious face", "sensitive")), BIASED) is None


@pytest.mark.parametrize("name", ["discoveries", "sources"])
def test_runs_of_other_images_are_not_told_among_these(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    path.write_text('{"images": 24, "runs": {}}')
    out = ["--out", str(tmp_path)] if name == "sources" else []
    with pytest.raises(SystemExit):
        importlib.import_module(name).main(["--images", "48", "--seeds", "1-0", "--json", str(path), *out])
    assert "was measured with other images: choose another file" in capsys.readouterr().err


def test_figures_are_counted_over_seeds(discoveries: ModuleType) -> None:
    runs = {
        f"{BIASED}@1": discoveries.figures_of(
            discovery_of(("a happy face", "sensitive"), ("a bald face", "sensitive")), BIASED
        ),
        f"{BIASED}@2": discoveries.figures_of(
            discovery_of(*[(None, "negligible")] * 3, ("a smiling face", "sensitive")), BIASED
        ),
        f"{SOUND}@1": discoveries.figures_of(discovery_of(("a face with bangs", "inconclusive")), SOUND),
        f"{SOUND}@2": discoveries.figures_of(discovery_of(("a bald face", "sensitive")), SOUND),
    }
    figures = discoveries.added_up(runs)
    assert figures[BIASED] == {
        "seeds": 2,
        "planted": "smiling",
        "among_first": 1,
        "first": 1,
        "planted_sensitive": 2,
        "others_sensitive": ["a bald face"],
    }
    assert figures[SOUND] == {"seeds": 2, "others_sensitive": ["a bald face"]}
