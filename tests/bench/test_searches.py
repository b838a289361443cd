"""The comparison of searches counts what audits found, image by image, and makes no part twice."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zoom_engine.search import SGD


def part(seed: int, target: str, search: str, flips: list[int], ssim: list[float | None]) -> dict[str, Any]:
    return {
        "seed": seed,
        "target": target,
        "search": search,
        "options": {"name": search},
        "seconds": 4.0,
        "flipped": flips,
        "decisive": flips,
        "ssim": ssim,
        "evaluations": [10] * len(flips),
    }


RESULTS = [
    part(0, "age", "sgd", [1, 1, 0, 0], [0.8, 0.6, None, None]),
    part(0, "age", "minimal", [1, 1, 1, 0], [0.9, 0.8, 0.5, None]),
    part(1, "age", "sgd", [0, 0, 0, 0], [None] * 4),
    part(1, "age", "minimal", [0, 1, 0, 0], [None, 0.7, None, None]),
    part(0, "gender", "sgd", [1, 1, 1, 1], [0.5] * 4),
]


def test_rates_are_means_and_differences_are_of_the_same_images() -> None:
    import searches

    rows = {row["search"]: row for row in searches.summaries(RESULTS)}
    assert {row["target"] for row in rows.values()} == {"age"}, "the other target was not searched by both"
    assert (rows["sgd"]["images"], rows["minimal"]["images"]) == (8, 8)
    assert rows["sgd"]["decisive"][0] == 0.25
    assert rows["minimal"]["decisive"][0] == 0.5
    assert rows["minimal"]["seconds_per_image"] == 1.0
    compared = rows["sgd"]["compared"]
    assert compared["decisive"][0] == 0.25
    assert compared["both_decisive"] == 2
    assert compared["ssim"][0] == pytest.approx((0.1 + 0.2) / 2)
    for low, high in (rows["sgd"]["decisive"][1:], compared["decisive"][1:]):
        assert 0 <= low <= 0.25 <= high <= 1
    assert "compared" not in rows["minimal"]
    assert len(list(searches.lines(list(rows.values())))) == 3


def test_two_precisions_are_compared_where_both_were_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import searches

    ours = {"precision": "bf16", "results": RESULTS}
    theirs = {"precision": "fp32", "results": [part(0, "age", "sgd", [1, 0, 0, 1], [0.7, None, None, 0.9])]}
    paths = [tmp_path / "bf16.json", tmp_path / "fp32.json"]
    for path, document in zip(paths, (ours, theirs), strict=True):
        path.write_text(json.dumps(document))
    assert searches.main(["--agree", *map(str, paths)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("bf16 beside fp32")
    (row,) = rows
    assert row.split() == ["sgd", "4", "50.00%", "50.00%", "0.1000"]


def test_targets_are_also_taken_together() -> None:
    import searches

    both = [*RESULTS, part(0, "gender", "minimal", [1, 1, 1, 1], [0.6] * 4)]
    (whole,) = [row for row in searches.summaries(both) if row["target"] == "all" and row["search"] == "sgd"]
    assert whole["images"] == 12
    assert whole["compared"]["both_decisive"] == 6


def test_a_part_that_is_there_is_not_made_again_unless_its_options_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    import searches

    made: list[str] = []

    class Fake:
        def __init__(self, **options: Any) -> None:
            self.models = SimpleNamespace(search=SGD(early_stop=False))
            made.append(options["target"])

        def edit_directions(self) -> None:
            raise RuntimeError("it is measured again")

        calibrated_range = None

    monkeypatch.setattr(searches, "Diagnoser", Fake)
    existing = part(0, "age", "sgd", [1], [0.9])
    existing["options"] = searches.describe_search(Fake(target="").models.search)
    result = searches.searched_part("age", "sgd", [existing], images=1, seed=0, precision="auto")
    assert result is existing
    with pytest.raises(RuntimeError, match="again"):
        searches.searched_part("age", "sgd", [{**existing, "options": {}}], images=1, seed=0, precision="auto")


@pytest.mark.experiment
@pytest.mark.timeout(0)
def test_the_smallest_edit_flips_more_than_the_paper_s_searches(tmp_path: Path) -> None:
    """In full: `python bench/searches.py`, whose committed result is bench/results/searches-avx512bf16.json."""
    import searches

    out = tmp_path / "searches.json"
    command = ["--targets", "age-biased-beard", "--images", "8", "--seeds", "1", "--searches", "sgd,minimal"]
    assert searches.main([*command, "--json", str(out)]) == 0
    rows = {row["search"]: row for row in json.loads(out.read_text())["summary"]}
    assert rows["minimal"]["decisive"][0] >= rows["sgd"]["decisive"][0]
    assert rows["minimal"]["evaluations"] < 25 < rows["sgd"]["evaluations"]
