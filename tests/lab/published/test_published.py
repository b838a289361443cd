"""The registry of published models is well-formed, what is measured adds up, and the page says no more than that."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from torch import Tensor

from lab.published.__main__ import main
from lab.published.audits import Audits, agreement
from lab.published.check import TOLERANCE, differences
from lab.published.models import LEFT_OUT, MODELS, Published
from lab.published.page import page
from lab.published.subjects import SUBJECTS
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files import atomic

ROWS = {
    "good": [
        {"attribute": "a face with a beard", "change": 0.3, "verdict": "sensitive", "effect": 0.2},
        {"attribute": "a smiling face", "change": 0.1, "verdict": "sensitive", "effect": 0.1},
        {"attribute": "a face with a hat", "change": 0.01, "verdict": "negligible", "effect": 0.01},
    ],
    "bad": [
        {"attribute": "a face with a beard", "change": 0.0, "verdict": "negligible", "effect": 0.4},
        {"attribute": "a face with a hat", "change": 0.4, "verdict": "sensitive", "effect": 0.0},
    ],
}


def figures(rows: dict[str, list[dict[str, Any]]], *, faces_found: float = 1.0) -> dict[str, Any]:
    return {
        "subject": "avatars",
        "images": 16,
        "seed": 100,
        "random_directions": 4,
        "faces_found": faces_found,
        "truth_on": 100,
        "agreement": agreement(rows),
        "models": {name: {"rows": of, "outputs": [0, 0.5, 1]} for name, of in rows.items()},
    }


def test_each_model_says_where_it_comes_from_and_what_it_is_fed() -> None:
    assert len(MODELS) >= 8
    for name, model in MODELS.items():
        assert name == model.name
        assert re.fullmatch("[0-9a-f]{64}", model.package.sha256)
        assert re.fullmatch(r"\d+\.\d+\.\d+", model.package.version)
        assert model.licence
        assert model.package.licence
        assert model.origin.startswith("https://")
        for subject in SUBJECTS.values():
            for matrix in model.feed.matrices(subject.face, subject.pixels):
                assert matrix.shape == (model.feed.size, subject.pixels)
                assert matrix.min() >= 0
                assert matrix.sum(1).max() == pytest.approx(1)
                assert np.mean(matrix.sum(1) > 0.99) > 0.7, "most of what it sees is picture"
    assert all(LEFT_OUT.values())


def test_agreement_counts_calls_by_the_size_of_the_true_effect() -> None:
    told = agreement(ROWS)
    assert told["models"]["good"] == {"pairs": 3, "spearman": 1.0, "false": [0, 1], "hits": [2, 2]}
    assert told["models"]["bad"] == {"pairs": 2, "spearman": -1.0, "false": [1, 1], "hits": [0, 1]}
    assert (told["all"]["pairs"], told["all"]["false"], told["all"]["hits"]) == (5, [1, 2], [2, 3])


def test_the_page_names_shortfalls_where_there_are_some_and_none_elsewhere() -> None:
    short = page([figures(ROWS)])
    assert "They fall short" in short
    assert "1 of 2 are called below 0.02, of `bad`" in short
    assert "missed of `bad`" in short
    fine = page([figures({"good": ROWS["good"]})])
    assert "They are." in fine
    assert "They fall short" not in fine
    assert "beard 0.30, smiling face 0.10" in fine


def test_the_page_says_of_faces_that_were_not_found_only_where_there_are_some() -> None:
    assert "finds no face" not in page([figures(ROWS)])
    assert "BlazeFace finds no face in 12.5 % of the avatars" in page([figures(ROWS, faces_found=0.875)])


def test_the_page_has_the_commands_that_made_its_figures_and_names_what_is_missing() -> None:
    told = page([figures(dict.fromkeys(MODELS, ROWS["good"])) | {"picture": "sheet.webp"}])
    command = "python -m lab.published audit --subject avatars --images 16 --seed 100 --random-directions 4"
    assert f"{command} --truth-on 100 --picture docs/pictures/sheet.webp --json" in told
    assert "](../pictures/sheet.webp)" in told
    assert "Not audited" not in told
    some = page([figures({"dlib-age": ROWS["good"]})])
    assert "audit dlib-age --subject" in some
    assert "Not audited on the avatars yet: `ssrnet-age`" in some
    assert "sheet.webp" not in some


class Answered(Audits):
    """Audits whose figures are at hand, in place of minutes of models that are fetched."""

    def audits(self) -> dict[str, Any]:
        interval, verdict = (0.1, 0.3), "sensitive"
        row = SimpleNamespace(
            attribute=SimpleNamespace(text="a smiling face"), value=0.2, interval=interval, verdict=verdict
        )
        return {model.name: SimpleNamespace(sensitivity=[row]) for model in self.models}

    def effects(self) -> dict[str, dict[str, float]]:
        return {model.name: {"a smiling face": 0.15} for model in self.models}

    def accepted(self, pictures: Tensor) -> float:
        return 1.0

    def outputs(self, model: Published, pictures: Tensor) -> list[float]:
        return [0.1, 0.2, 0.3]


class Fed:
    """A model whose file is how it is fed."""

    name = "gear-gender"

    def __init__(self, feed: bytes) -> None:
        self.feed = feed

    def target(self, face: object, pixels: int) -> Any:
        return SimpleNamespace(SerializeToString=lambda: self.feed)


def test_what_was_made_of_a_model_that_is_fed_otherwise_now_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.published.audits.load_target", lambda path, **_: path.read_bytes())
    before, after = (Audits(SUBJECTS["avatars"], tmp_path, [cast("Published", Fed(feed))]) for feed in (b"a", b"b"))
    for _ in range(2):
        assert before.target(before.models[0]) == b"a"  # type: ignore[comparison-overlap]
    with pytest.raises(ConfigError, match="gear-gender as it was made before: give another --folder"):
        after.audits()


def test_anybody_can_read_the_folder_of_pictures(tmp_path: Path) -> None:
    """It had the permissions of a file: who is not root could open none of its pictures."""
    subject = dataclasses.replace(SUBJECTS["dcgan"], pictures=lambda count, _: np.zeros((count, 8, 8, 3), np.uint8))
    folder = Audits(subject, tmp_path, [], images=2)._photographs()
    assert [path.name for path in sorted(folder.iterdir())] == ["000.png", "001.png"]
    assert folder.stat().st_mode == folder.parent.stat().st_mode


def test_figures_of_one_model_stand_beside_those_of_the_others_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.published.__main__.Audits", Answered)
    monkeypatch.setattr("lab.published.audits.ACCEPTED_OF", 2)
    out = tmp_path / "figures.json"

    def audit(*options: str) -> int:
        return main(["audit", *options, "--folder", str(tmp_path / "runs"), "--json", str(out)])

    first, second = "gear-gender", "dlib-age"
    assert audit(second) == 0
    alone = json.loads(out.read_text())
    atomic.write_json(out, alone | {"picture": "sheet.webp"})
    assert audit(first) == 0
    both = json.loads(out.read_text())
    assert list(both["models"]) == [first, second], "in the order of the registry"
    assert both["models"][second] == alone["models"][second]
    assert (both["agreement"]["all"]["pairs"], both["picture"]) == (2, "sheet.webp")
    assert audit(first) == 0
    assert json.loads(out.read_text()) == both, "a model's figures take the place of its own"
    capsys.readouterr()
    before = out.read_bytes()
    assert audit(first, "--picture", str(tmp_path / "sheet.webp")) == 1, "the page says that it is of each model"
    assert f"is of all models of {out}: name {second} too" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert audit(first, "--images", "8") == 1
    assert "of other audits (images 16)" in capsys.readouterr().err
    assert out.read_bytes() == before
    out.write_text("[]")
    assert audit(first) == 1
    assert "holds no figures" in capsys.readouterr().err


def test_the_list_needs_no_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in (*MODELS, *LEFT_OUT))


def test_an_unknown_model_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "faceres-aeg"]) == 1
    assert "faceres-age" in capsys.readouterr().err


@pytest.mark.experiment
@pytest.mark.parametrize("name", MODELS)
def test_what_was_converted_says_what_was_published(name: str) -> None:
    worst = differences(MODELS[name], SUBJECTS["avatars"])
    assert worst is None or worst <= TOLERANCE
