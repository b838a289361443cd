"""An audit measured by edits of known strength: equal strengths are the true ones, and told where they are shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited import write_picture, write_table
from html_page import Page, links_of
from numpy.typing import NDArray
from rich.cells import cell_len
from simulated import simulated, simulated_edits

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.records import Record
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError
from zoom_engine.edits.corruptions import exposed
from zoom_engine.gates.compare import compare
from zoom_engine.gates.text import yardstick_table
from zoom_engine.gates.yardstick import Yardstick, yardstick
from zoom_engine.settings.interim_analyses import InterimPlan

IMAGES, ADDED = 60, 90
STOPS = (-2.0, 1.0, 2.0, 3.0, 4.0)


def light(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A black box: the probability that a picture is light, its mean."""
    return np.asarray(pictures.mean(axis=(1, 2, 3)) / 255)


def grey_of(image: int) -> int:
    return 40 + image % 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of one grey each; as pairs the same with more red ("red"), and with hardly more blue ("little")."""
    folder = tmp_path_factory.mktemp("yardstick")
    rows: list[Sequence[object]] = []
    for image in range(IMAGES):
        grey = grey_of(image)
        plain = (grey, grey, grey)
        write_picture(folder / "photographs" / f"{image:02}.png", plain)
        pictures = {"": plain, "red": (grey + ADDED, grey, grey), "little": (grey, grey, grey + 3)}
        for attribute, colour in pictures.items():
            file = f"{attribute}-{image:02}.png"
            write_picture(folder / "pairs" / file, colour)
            rows.append((image, attribute, int(bool(attribute)), file, ""))
    write_table(folder / "pairs", rows)
    return folder


@pytest.fixture(scope="module")
def audits(folder: Path) -> tuple[Diagnosis, Diagnosis]:
    pairs = Diagnoser(pairs=folder / "pairs" / "pairs.csv", target=light).run(out=folder / "of pairs")
    strengths = {"brightness": list(STOPS), "jpeg": [50.0, 90.0]}
    by = Diagnoser(
        editor="corruptions",
        editor_options=strengths,
        attributes=["brightness", "JPEG"],
        photos=folder / "photographs",
        target=light,
    )
    return pairs, by.run(out=folder / "of corruptions")


def measure_of(*audits: Diagnosis) -> Yardstick:
    result = yardstick(audits)
    assert result is not None
    return result


def changes_at(stops: float) -> float:
    """The true mean change of the target by so much more light."""
    greys = np.array([[[grey_of(image)] * 3 for image in range(IMAGES)]], dtype=np.uint8)  # a pixel of each
    return float(np.abs(exposed(greys, stops, 0).astype(int) - greys).mean() / 255)


@pytest.mark.parametrize("turned", [False, True])
def test_the_equal_strength_is_the_true_one(audits: tuple[Diagnosis, Diagnosis], turned: bool) -> None:
    """Whichever audit is named first: corruptions are the yardstick."""
    (row,) = measure_of(*(audits[::-1] if turned else audits)).rows
    assert row.name == "red"
    assert row.figures.value == pytest.approx(ADDED / 3 / 255, abs=1e-3)
    (equal,) = row.equals
    assert (equal.edit, equal.unit) == ("brightness", "stops")
    fine = np.linspace(0, 4, 401)
    true = fine[int(np.abs([changes_at(stops) - ADDED / 3 / 255 for stops in fine]).argmin())]
    assert equal.low <= true <= equal.high
    assert equal.at == pytest.approx(true, abs=0.15), "between two strengths by a straight line"


def test_what_is_not_sensitive_and_what_is_not_shown_has_no_equal(audits: tuple[Diagnosis, Diagnosis]) -> None:
    """“little” is nothing to measure; JPEG hardly moves a plain grey, and darker pictures cannot fall as far."""
    measure = measure_of(*audits)
    assert measure.left_out == 1
    assert [equal.edit for row in measure.rows for equal in row.equals if equal.at > 0] == ["brightness"]
    assert "1 attribute is not sensitive and is left out" in measure.notes[1]
    assert measure.headline.startswith("“red” moves light as far as brightness at ")
    none = dataclasses.replace(measure, rows=(dataclasses.replace(measure.rows[0], equals=()),))
    furthest = f"the furthest, brightness at 4 stops, moves it by {changes_at(4):.2f}"
    assert none.headline == f"No strength of corruptions is shown to move light further than “red”; {furthest}."
    assert "further than shown" in yardstick_table(none)
    empty = dataclasses.replace(measure, rows=())
    assert empty.headline == "No attribute is shown to move light: there is nothing to measure by corruptions."
    assert "─" not in yardstick_table(empty)


def test_an_audit_along_directions_is_measured_too(audits: tuple[Diagnosis, Diagnosis]) -> None:
    by = audits[1]
    of_model = {name: by.config.content[name] for name in ("target", "target_details")}
    first = simulated(images=100, means=(0.01, 0.03, 0.06, 0.3), baseline=0.01, **of_model)
    measure = measure_of(first, by)
    assert "eyeglasses" in [row.name for row in measure.rows]
    row = next(row for row in measure.rows if row.name == "eyeglasses")
    (equal,) = row.equals
    assert changes_at(equal.at) == pytest.approx(row.figures.value, abs=0.05)
    assert "“eyeglasses” moves light as far as brightness at " in measure.headline


@pytest.mark.ci
def test_many_attributes_and_edits_take_draws_enough() -> None:
    """With 32 attributes and 16 edits no p-value of 20,000 draws lies below the level that is left to each."""
    by = simulated_edits(
        {f"blur {number}": (1, 2, 3) for number in range(16)},
        lambda image, name, strength: 0.25 * strength + image % 3 / 1000,
        images=12,
        kind="corruptions",
    )
    names = [f"attribute {number}" for number in range(32)]
    first = simulated_edits(dict.fromkeys(names, (1,)), lambda image, *_: 0.4 + image % 7 / 1000, images=12)
    measure = measure_of(first, by)
    assert len(measure.rows) == 32
    assert {(equal.low, equal.high) for row in measure.rows for equal in row.equals} == {(1, 2)}
    assert {len(row.equals) for row in measure.rows} == {16}


def test_an_edit_that_not_every_image_has_is_measured_by_those_that_have_it() -> None:
    by = simulated_edits(
        {"blur": (1, 2, 3), "noise": (1, 2)},
        lambda image, name, strength: 0.2 * strength + image % 3 / 1000,
        images=30,
        made=lambda image, name: name == "blur" or image < 20,
        kind="corruptions",
    )
    first = simulated_edits({"red": (1,)}, lambda image, *_: 0.3 + image % 7 / 1000, images=30)
    (row,) = measure_of(first, by).rows
    assert [(one.edit, one.low, one.high) for one in row.equals] == [("blur", 1, 2), ("noise", 1, 2)]


def test_an_audit_that_chose_its_number_of_images_spends_its_error_on_each() -> None:
    """Whoever looks ten times finds more than 5 % of what is not there."""
    by = simulated_edits({"blur": (1, 2)}, lambda image, *at: 0.4 * at[-1] + image / 1000, images=5, kind="corruptions")
    first = simulated_edits({"red": (1,)}, lambda image, *_: 0.6 + image / 1000, images=5)
    assert [(one.low, one.high) for one in measure_of(first, by).rows[0].equals] == [(1, 2)]
    config = dataclasses.replace(first.config, interim_analyses=InterimPlan(tuple(range(5, 15)), None))
    chose = Diagnosis(dataclasses.replace(first.manifest, config=config), first.records)
    assert measure_of(chose, by).rows[0].equals == ()


def test_an_edit_that_changes_the_ground_truth_moves_the_output_no_further() -> None:
    """Its report said 0.4 of an edit that was told to move the output by 0.9."""
    by = simulated_edits({"blur": (1, 2, 3)}, lambda image, *at: (0.2, 0.4, 0.9)[int(at[-1]) - 1], kind="corruptions")

    def with_label_lost(record: Record) -> Record:
        points = tuple(dataclasses.replace(p, label_kept=p.change < 0.9) for p in record.trajectory)
        furthest = max((p for p in points if p.label_kept), key=lambda point: point.change)
        return dataclasses.replace(record, trajectory=points, change=furthest.change, label_kept=True)

    by = dataclasses.replace(by, records=tuple(map(with_label_lost, by.records)))
    assert by.sensitivity[0].value == pytest.approx(0.4)
    measure = measure_of(simulated_edits({"red": (1,)}, lambda image, *_: 0.6 + image % 7 / 1000), by)
    assert (measure.furthest.at, measure.furthest.change) == (2, pytest.approx(0.4))
    assert measure.rows[0].equals == ()


def test_small_strengths_are_those_of_records_which_round_them() -> None:
    """To six decimals, however small they are: a three-hundredth was none of its own audit's."""
    by = simulated_edits(
        {"blur": (1 / 300, 2 / 300, 0.03)}, lambda image, *at: 20 * at[-1] + image % 3 / 1000, kind="corruptions"
    )
    rounded = [
        dataclasses.replace(
            one,
            trajectory=tuple(
                dataclasses.replace(point, weights=tuple(round(at, 6) for at in point.weights))
                for point in one.trajectory
            ),
        )
        for one in by.records
    ]
    first = simulated_edits({"red": (1,)}, lambda image, *_: 0.1 + image % 7 / 1000)
    (row,) = measure_of(first, dataclasses.replace(by, records=tuple(rounded))).rows
    assert [(one.low, one.high) for one in row.equals] == [(1 / 300, 2 / 300)]


@pytest.mark.parametrize("made", [True, False])
def test_a_yardstick_without_a_point_is_refused(made: bool) -> None:
    """Be it that no picture was edited, or that records of others hold no points of their ways."""
    by = simulated_edits({"blur": (1, 2)}, lambda *_: 0.3, made=lambda *_: made, kind="corruptions")
    by = dataclasses.replace(by, records=tuple(dataclasses.replace(one, trajectory=()) for one in by.records))
    with pytest.raises(AuditError, match="cannot measure anything: none of its records has a picture"):
        yardstick([simulated_edits({"red": (1,)}, lambda *_: 0.3), by])


def test_other_models_and_audits_that_are_not_whole_are_refused(
    audits: tuple[Diagnosis, Diagnosis], folder: Path
) -> None:
    by = audits[1]
    with pytest.raises(AuditError, match=r"audits of other models.*audit one model by both"):
        yardstick([simulated(images=20), by])
    of_model = {name: by.config.content[name] for name in ("target", "target_details")}
    with pytest.raises(AuditError, match="is not finished"):
        yardstick([simulated(images=20, done=7, **of_model), by])


def test_audits_of_one_source_are_compared_and_not_measured(audits: tuple[Diagnosis, Diagnosis]) -> None:
    pairs, by = audits
    assert yardstick([by, by]) is None
    assert yardstick([pairs, pairs]) is None
    assert yardstick([pairs, simulated(images=20)]) is None, "no edit of either has several strengths"
    assert yardstick([pairs, by, by]) is None
    with pytest.raises(AuditError, match="another source of edits"):
        compare([pairs, by, by])


def test_the_command_writes_a_page_with_pictures_and_json(
    audits: tuple[Diagnosis, Diagnosis], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(audit.path) for audit in audits]
    assert main(["compare", *paths, "--out", str(folder / "page.html")]) == 0
    told = capsys.readouterr().out
    assert "as far as brightness at 1." in told
    assert max(map(cell_len, told.splitlines()[:-1])) <= 80
    page = Page(folder / "page.html")
    assert "<h1>“red” moves light as far as brightness at " in page.html
    assert page.html.count("<figure>") == 2, "the attribute, and what moves the output as far"
    assert "pairs that others edited, no controls" in page.text
    assert "pictures edited by “corruptions”" in page.text
    shown, _, rest = page.text.partition("Which audits these are")
    assert ("Owner" in shown, rest.count("Owner")) == (False, 2)
    links = links_of(page)
    assert {"of%20pairs/report.html", "of%20corruptions/report.html"} <= set(links)
    assert any(link.startswith("of%20pairs/report.html#image-") for link in links)
    assert main(["compare", *paths, "--out", str(folder / "page.html"), "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert content["attributes"][0]["as_far_as"][0]["edit"] == "brightness"
