"""Whether edits were made, as a text encoder sees it: pictures are renders, edited by the renderer or hardly at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited import write_table
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.folder import RECORDS
from zoom_engine.common.errors import AuditError, ConfigError, TextEncoderError
from zoom_engine.diagnose import edit_scores
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.renderer import render
from zoom_engine.gates.judge import judge
from zoom_engine.gates.rules import Rule
from zoom_engine.report import write_report

MADE, NOT_MADE = "a face with eyeglasses", "a smiling face"
IMAGES = 20


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eyeglasses are put on, and what is called a smile shifts the backdrop by a little."""
    folder = tmp_path_factory.mktemp("renders")
    parameters = DOMAIN.subject.parameters(IMAGES, 3)
    glasses = (np.arange(IMAGES) % 2).astype(float)
    before = parameters.replace(eyeglasses=glasses)
    tint = np.clip(before["background_tint"] + np.where(np.arange(IMAGES) % 3, 0.06, -0.06), 0, 1)
    rows: list[tuple[object, ...]] = []
    for name, edited in (
        ("", before),
        (MADE, before.replace(eyeglasses=1 - glasses)),
        (NOT_MADE, before.replace(background_tint=tint)),
    ):
        for image, picture in enumerate(render(edited)):
            file = f"{name}-{image}.png"
            Image.fromarray(picture).save(folder / file)
            strength = 0 if not name else -1 if name == MADE and glasses[image] > 0.5 else 1
            rows.append((image, name, strength, file, ""))
    return write_table(folder, rows)


def unmoved(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A target that hardly minds anything."""
    return np.asarray(0.3 + pictures[:, 0, 0, 0] / 2550)


def audited(table: Path, **settings: object) -> Diagnosis:
    given = {"text_encoder": "avatars", "neutral": "a face", "smallest_effect": 0.5, **settings}
    return Diagnoser(pairs=table, target=unmoved, **given).run()  # type: ignore[arg-type]


def test_each_unedited_picture_is_scored_once(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which ranges are measured; of edited ones the encoder sees the furthest of each attribute."""
    seen: list[int] = []
    scored = edit_scores.text_scores

    def counted(encoder: Any, along: Tensor, pictures: Iterable[Tensor]) -> Tensor:
        shown = list(pictures)
        seen.append(sum(map(len, shown)))
        return scored(encoder, along, shown)

    monkeypatch.setattr(edit_scores, "text_scores", counted)
    diagnosis = audited(table)
    assert sum(seen) == 3 * IMAGES
    assert all(record.scores is not None for record in diagnosis.records)


def test_of_many_images_those_that_give_the_ranges_are_of_all_kinds(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first by name were taken: where nobody among them wears glasses, hardly any edit seemed unseen."""
    lines = [line.split(",") for line in table.read_text().splitlines()]
    bare_first = [[f"{int(line[0]) % 2}-{line[0]}", *line[1:]] for line in lines[1:]]
    by_kind = table.with_name("by-kind.csv")
    by_kind.write_text("\n".join(",".join(line) for line in [lines[0], *sorted(bare_first)]))

    monkeypatch.setattr(edit_scores, "LEAST_IMAGES", IMAGES // 2)

    def strength(images: int) -> float:
        monkeypatch.setattr(edit_scores, "MOST_IMAGES", images)
        return next(row.edit_score or 0 for row in audited(by_kind).sensitivity if row.attribute.text == MADE)

    assert strength(IMAGES // 2) < 1.5 * strength(IMAGES)


def test_an_edit_that_is_not_seen_is_not_called_negligible(table: Path, tmp_path: Path) -> None:
    diagnosis = audited(table)
    made, unseen = (
        next(row for row in diagnosis.sensitivity if row.attribute.text == name) for name in (MADE, NOT_MADE)
    )
    assert made.verdict == "negligible"
    assert made.edit_score_interval is not None
    assert made.edit_score_interval[0] > 0.4, "glasses were put on, and taken off where the strength is below 0"
    assert (unseen.verdict, unseen.edit_is_unseen) == ("inconclusive", True)
    without = audited(table, text_encoder=None, neutral=None)
    assert {row.verdict for row in without.sensitivity} == {"negligible"}
    verdict = judge(diagnosis, [Rule(max_sensitivity=0.9)])
    outcomes = {one.attribute: (one.outcome, one.estimate) for one in verdict.findings}
    assert outcomes["eyeglasses"][0] == "pass"
    assert outcomes["smiling"][0] == "inconclusive"
    assert "sees no edit" in outcomes["smiling"][1]
    diagnosis.save(tmp_path / "audit")
    page = write_report(tmp_path / "audit").read_text()
    assert "Edit not seen" in page
    assert "A text encoder scored all pictures" in page
    assert "Edits that were not seen" in page


def test_side_effects_of_edits_are_told(table: Path) -> None:
    matrix = audited(table).summary().side_effects
    assert matrix is not None
    assert matrix[MADE][MADE] > 0.4
    assert abs(matrix[NOT_MADE][NOT_MADE]) < 0.25


@pytest.mark.ci
def test_scores_do_not_depend_on_how_pictures_are_packed(table: Path, tmp_path: Path) -> None:
    records = []
    for size in (4, 64):
        out = tmp_path / str(size)
        Diagnoser(pairs=table, target=unmoved, text_encoder="avatars", neutral="a face", batch_size=size).run(out=out)
        records.append((out / RECORDS).read_bytes())
    assert records[0] == records[1]


def test_scores_by_other_sentences_are_another_audits(table: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"pairs": table, "target": unmoved, "text_encoder": "avatars", "neutral": "a face"}
    Diagnoser(**given).run(out=tmp_path)
    with pytest.raises(AuditError, match=r"other settings .*templates"):
        Diagnoser(**given, templates="none").run(out=tmp_path)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"neutral": None}, ConfigError, r"say what the pictures show by neutral"),
        ({"attributes": [MADE], "neutral": "xyzzy"}, TextEncoderError, "xyzzy"),
    ],
)
def test_what_a_text_encoder_lacks_is_told_in_one_line(
    table: Path, settings: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        audited(table, **settings)


def test_a_few_images_do_not_say_how_far_an_attribute_varies(table: Path, tmp_path: Path) -> None:
    few = table.parent / "few.csv"
    lines = table.read_text().splitlines()
    few.write_text("\n".join([lines[0], *(line for line in lines[1:] if int(line.split(",")[0]) < 15)]))
    with pytest.raises(ConfigError, match="16 images or more, not 15"):
        audited(few)
