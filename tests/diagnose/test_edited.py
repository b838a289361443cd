"""Audits of edits from elsewhere: what the target is shown, what is written down, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited import HEADER, red, write_pairs, write_picture, write_table
from PIL import Image
from torch import nn

from zoom_engine import Diagnoser, Diagnosers, Diagnosis
from zoom_engine.audit.folder import RECORDS, AuditFolder
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, ConfigError, ZoomError
from zoom_engine.diagnose import edited
from zoom_engine.edits.pairs import Pairs
from zoom_engine.edits.pictures import Wanted
from zoom_engine.gates.judge import judge
from zoom_engine.gates.rules import Rule
from zoom_engine.integrations import tracking
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings
from zoom_engine.targets.target import probe_images

CONTROLS = 10


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"), images=12, controls=CONTROLS)


@pytest.fixture(scope="module")
def audit(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    return diagnose(table, tmp_path_factory.mktemp("audits") / "audit")


def diagnose(table: Path, out: Path | None = None, **more: Any) -> Diagnosis:
    return Diagnoser(pairs=table, target=red, **more).run(out=out)


def test_a_change_is_what_the_target_says_of_the_edited_picture_less_what_it_says_of_the_other(
    audit: Diagnosis,
) -> None:
    rows = {row.attribute.text: row for row in audit.sensitivity}
    assert rows["red"].effect == pytest.approx(120 / 255, abs=2e-3)
    assert rows["blue"].effect == pytest.approx(0.0, abs=2e-3)
    assert (rows["red"].verdict, rows["red"].specificity) == ("sensitive", "specific")
    assert rows["blue"].verdict != "sensitive"
    assert rows["red"].signed_change == pytest.approx(120 / 255, abs=2e-3)
    summary = audit.summary()
    assert summary.baseline is not None
    assert (summary.baseline.directions, summary.images, summary.edits) == (CONTROLS, 12, "pairs")
    assert (audit.finished, audit.missing) == (True, 0)


def test_a_record_has_a_point_for_each_strength_and_says_at_which_the_prediction_flips(audit: Diagnosis) -> None:
    for record in audit.records:
        if record.attribute != "red":
            continue
        grey = 40 + 6 * record.image
        assert [point.weights for point in record.trajectory] == [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
        assert [point.output[0] * 255 for point in record.trajectory] == pytest.approx(
            [grey, grey + 60, grey + 120], abs=0.5
        )
        flips = [strength for strength, more in ((0.5, 60), (1.0, 120)) if grey + more > 127.5]
        assert record.flip_weight == (flips[0] if flips else None)
        assert record.flipped == bool(flips)
        assert record.bounds == (0.0, 1.0)
        assert record.seed > 10**6
    assert len({record.seed for record in audit.records}) == 12


def test_the_manifest_says_which_edits_these_are(audit: Diagnosis) -> None:
    edits = audit.config.edits
    assert edits is not None
    assert (edits.kind, edits.records, audit.config.images) == ("pairs", (24, 12 * CONTROLS), 12)
    assert [(edit.name, edit.strengths) for edit in edits.attributes] == [("red", (0.5, 1.0)), ("blue", (1.0,))]
    assert audit.config.ranges == ((0.0, 1.0), (0.0, 1.0))
    assert audit.config.random_directions == CONTROLS
    assert {"generator", "text_encoder", "edit_range", "search", "seed"}.isdisjoint(audit.config.content)


def test_without_controls_nothing_is_compared(tmp_path: Path) -> None:
    diagnosis = diagnose(write_pairs(tmp_path, controls=0))
    assert diagnosis.summary().baseline is None
    assert {row.specificity for row in diagnosis.sensitivity} == {None}
    assert diagnosis.sensitivity[0].verdict is not None


def test_an_image_need_not_have_each_edit_nor_the_size_of_the_others(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = []
    for image, (attributes, size) in enumerate(
        [(("red", "dark"), (20, 24)), (("red",), (40, 18)), (("dark",), (20, 24))]
    ):
        write_picture(tmp_path / f"{image}.png", (100, 90, 90), size)
        rows.append((image, "", 0, f"{image}.png", ""))
        for attribute, strength, colour in (("red", 2, 200), ("dark", -1, 40), ("dark", 1, 160)):
            if attribute in attributes:
                write_picture(tmp_path / f"{image}{attribute}{strength}.png", (colour, 90, 90), size)
                rows.append((image, attribute, strength, f"{image}{attribute}{strength}.png", ""))
    diagnosis = diagnose(write_table(tmp_path, rows))
    assert {(r.image, r.attribute) for r in diagnosis.records} == {(0, "red"), (0, "dark"), (1, "red"), (2, "dark")}
    changes = {(r.image, r.attribute): r.change for r in diagnosis.records}
    assert changes[1, "red"] == pytest.approx(100 / 255, abs=2e-3)
    assert diagnosis.config.ranges == ((0.0, 2.0), (-1.0, 1.0))
    assert diagnosis.missing == 0
    assert {row.effect for row in diagnosis.sensitivity} == {None}  # where one leads both ways, the largest is judged


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_records_do_not_depend_on_batches(table: Path, audit: Diagnosis, batch_size: int) -> None:
    assert diagnose(table, batch_size=batch_size).records == audit.records


def test_large_pictures_come_alone(table: Path, audit: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited, "PIXELS_AT_ONCE", 1000)
    assert diagnose(table).records == audit.records


def interrupted(at: int) -> Callable[[AuditFolder, Any], None]:
    """An `AuditFolder.append` that at its call `at`, of those with records, writes three and is interrupted."""
    append, calls = AuditFolder.append, 0

    def appended(self: AuditFolder, records: Any) -> None:
        nonlocal calls
        calls += bool(records)
        if calls == at:
            append(self, records[:3])
            raise KeyboardInterrupt
        append(self, records)

    return appended


@pytest.mark.parametrize("at", [1, *(pytest.param(at, marks=pytest.mark.ci) for at in (2, 5))])
def test_an_audit_that_is_interrupted_goes_on(
    table: Path, audit: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    with monkeypatch.context() as once:
        once.setattr(AuditFolder, "append", interrupted(at))
        with pytest.raises(KeyboardInterrupt):
            diagnose(table, tmp_path / "audit")
    assert not Diagnosis.load(tmp_path / "audit").finished
    resumed = diagnose(table, tmp_path / "audit")
    assert (resumed.records, resumed.baseline) == (audit.records, audit.baseline)
    before = (tmp_path / "audit" / RECORDS).read_bytes()
    assert diagnose(table, tmp_path / "audit").finished
    assert (tmp_path / "audit" / RECORDS).read_bytes() == before


def test_an_audit_goes_on_with_the_same_pictures_alone(tmp_path: Path) -> None:
    table = write_pairs(tmp_path / "pairs")
    diagnose(table, tmp_path / "audit")
    write_picture(table.parent / "0-red-1.png", (0, 0, 0))
    with pytest.raises(AuditError, match="begun with other pictures, or another table"):
        diagnose(table, tmp_path / "audit")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: shutil.rmtree(folder / "images"),
        lambda folder: (folder / "gallery.json").write_text("{"),
        lambda folder: (folder / "gallery.json").unlink(),
    ],
)
def test_pictures_that_are_gone_are_drawn_again_by_the_same_command(
    table: Path, audit: Diagnosis, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """It said "run the audit again", which drew none of a finished audit, and said so again."""
    assert audit.path is not None
    out = tmp_path / "audit"
    shutil.copytree(audit.path, out)
    spoil(out)
    diagnose(table, out)
    assert Gallery.load(out) == Gallery.load(audit.path)
    for name in Gallery.load(audit.path).files:
        assert (out / name).read_bytes() == (audit.path / name).read_bytes()


def test_strips_show_the_pictures_at_their_strengths(audit: Diagnosis) -> None:
    assert audit.path is not None
    gallery = Gallery.load(audit.path)
    strip = next(strip for strip in gallery.strips if strip.attribute and strip.attribute.text == "red")
    assert [frame.weight for frame in strip.frames] == [0.0, 0.5, 1.0]
    assert all((audit.path / frame.file).is_file() for frame in strip.frames)
    assert gallery.sheets == ()
    counterfactuals = audit.counterfactuals()
    assert counterfactuals[0].original.shape == (24, 24, 3)


def test_each_edited_picture_that_a_record_holds_is_in_the_grid(audit: Diagnosis) -> None:
    assert audit.path is not None
    shown = {(one.image, str(one.attribute)): one for one in Gallery.load(audit.path).pictures}
    assert shown.keys() == {(record.image, record.attribute) for record in audit.records}
    for record in audit.records:
        entry = shown[record.image, record.attribute or ""]
        grey = 40 + 6 * record.image
        colour = (
            [grey + 120 * sum(record.edit_weights), grey, grey]
            if record.attribute == "red"
            else [grey, grey, grey + 60]
        )
        for file, expected in ((entry.original, [grey] * 3), (entry.file, colour)):
            with Image.open(audit.path / file) as image:
                assert image.size == (24, 24)
                assert np.abs(np.asarray(image)[12, 12].astype(float) - expected).max() <= 4, "WebP loses a little"


def test_the_report_says_what_the_edits_are(audit: Diagnosis) -> None:
    assert audit.path is not None
    page = (audit.path / "report.html").read_text("utf-8")
    body = page.partition("<main")[2].partition('<section aria-labelledby="settings"')[0]
    assert "others edited the pictures" in body
    assert "(pairs.csv): 156 edited pictures of 12 images" in body
    assert "What controls are" in body
    for alien in ("generator", "random direction", "random edit", "edit weight", "CLIP", "text model", "prompt"):
        assert alien not in body, alien


def test_a_report_without_controls_says_what_it_cannot_tell(tmp_path: Path) -> None:
    diagnose(write_pairs(tmp_path, controls=0), tmp_path / "audit")
    page = (tmp_path / "audit" / "report.html").read_text("utf-8")
    assert "No edit is marked as one that should not matter" in page
    assert "any change of a picture" in page
    assert "--random-directions" not in page


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a generator too": ({"generator": "avatars"}, "not from generator and pairs together"),
    "several together": ({"mode": "multi"}, "mode does not apply to edits by pairs"),
    "a search": ({"search": "scan"}, "search does not apply"),
    "labels": ({"labels": ["a cat", "a dog"]}, "labels does not apply"),
    "directions": ({"random_directions": 8}, "random_directions does not apply"),
    "a range": ({"edit_range": "paper"}, "edit_range does not apply"),
    "photographs": ({"photos": "photos"}, "photos does not apply"),
    "a cluster": ({"cluster": "ray"}, "cluster does not apply"),
    "a backend": ({"backend": "native"}, "nothing is drawn here"),
    "a template": (
        {"templates": ["a photo of {}"]},
        "templates are sentences for a text encoder.* leave templates out",
    ),
    "an attribute": ({"attributes": ["green"]}, "has no attribute 'green'"),
    "a control": ({"attributes": ["green 0"]}, "has no attribute 'green 0'"),
    "several targets": ({"target": ["a", "b"]}, "Diagnosers.* audits several"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_does_not_apply_is_refused_in_one_line(table: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ZoomError, match=words) as refused:
        Diagnoser(**{"pairs": table, "target": red, **options})
    assert "\n" not in str(refused.value)


def test_a_neutral_prompt_that_nothing_reads_is_told_of(table: Path) -> None:
    told: list[str] = []
    for neutral in (None, "a square"):
        Diagnoser(pairs=table, target=red, neutral=neutral, notify=told.append)
    assert len([line for line in told if "no text encoder reads the neutral prompt" in line]) == 1


def test_a_source_of_edits_is_needed() -> None:
    with pytest.raises(ConfigError, match="option 'generator' is missing: give it, or pairs or editor in its place"):
        AuditSettings(target="avatars:mustache")
    with pytest.raises(ConfigError, match="editor_options does not apply to edits by generator"):
        AuditSettings(generator="avatars", target="avatars:mustache", editor_options={"a": 1})


def test_a_run_takes_all_images(table: Path) -> None:
    diagnoser = Diagnoser(pairs=table, target=red)
    for options, names in (({"seed": 3}, "seed"), ({"most_images": 9, "width": 0.1}, "width and most_images")):
        with pytest.raises(ConfigError, match=f"takes all images: leave out {names}"):
            diagnoser.run(**options)
    with pytest.raises(ConfigError, match="no generator and no edit directions"):
        diagnoser.edit_directions()
    with pytest.raises(ConfigError, match="takes all images: leave out seed"):
        Diagnosers(pairs=table, target={"one": red, "other": red}).run(seed=3)


def test_attributes_are_those_of_the_table_that_are_named(table: Path) -> None:
    assert [a.text for a in diagnose(table, attributes=["blue"]).attributes] == ["blue"]


def test_an_export_of_the_target_is_run_by_the_fastest_runtime(table: Path) -> None:
    models = edited.load_edited(AuditSettings(pairs=table, target="avatars:mustache"))
    assert models.runs.startswith("openvino")
    assert edited.load_edited(AuditSettings(pairs=table, target="avatars:mustache", backend="torch")).runs == "torch"


def test_a_network_of_any_size_reads_pictures_that_are_all_wider_than_high(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", (100, 90, 90), (20, 32))
    write_picture(tmp_path / "b.png", (200, 90, 90), (20, 32))
    table = write_table(tmp_path, [("a", "", 0, "a.png", ""), ("a", "red", 1, "b.png", "")])
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    models = edited.load_edited(AuditSettings(pairs=table, target=pooled, target_options={"task": "binary"}))
    assert models.runs.startswith("openvino")
    assert len(edited.diagnosed_edits([models], RunSettings(), [None])[0].records) == 1


def test_a_target_is_asked_nothing_once_its_own_runtime_rests(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    for name in ("input_notices", "compiled_reader"):
        real = getattr(edited, name)
        monkeypatch.setattr(edited, name, lambda *a, _n=name, _r=real, **k: done.append(_n) or _r(*a, **k))
    edited.load_edited(AuditSettings(pairs=table, target="avatars:mustache"))
    assert done == ["input_notices", "compiled_reader"]


def test_the_command_line_takes_a_table(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--pairs", str(table), "--target", "avatars:mustache", "--out", str(tmp_path / "audit")]
    assert main(["diagnose", *given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["edits"] == "pairs"
    for more, words in (
        (["--images", "5"], "--images is of generated images: leave it out beside --pairs"),
        (["--generator", "avatars"], "not from generator and pairs together"),
    ):
        assert main(["diagnose", *given, *more]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_a_plan_of_pairs_is_refused(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--pairs", str(table), "--target", "avatars:mustache"]) == 1
    assert "one evaluation a picture: there is nothing to plan" in capsys.readouterr().err


@pytest.mark.ci
@pytest.mark.slow(8)
def test_no_text_encoder_is_imported(table: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from zoom_engine import Diagnoser;"
        f"Diagnoser(pairs={str(table)!r}, target='avatars:mustache').run(out={str(tmp_path / 'audit')!r});"
        "print([name for name in ('open_clip', 'transformers', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_of_the_target_are_of_the_very_pixels(tmp_path: Path) -> None:
    shown: list[np.ndarray[Any, Any]] = []

    def target(pictures: Any) -> Any:
        shown.append(pictures)
        return red(pictures)

    table = write_table(
        tmp_path,
        [("a", "", 0, "a.png", ""), ("a", "x", 1, "b.png", ""), ("b", "", 0, "c.png", ""), ("b", "x", 1, "d.png", "")],
    )
    random, images = np.random.default_rng(0), {}
    for name in "abcd":
        images[name] = random.integers(0, 256, (24, 30, 3), dtype=np.uint8)
        Image.fromarray(images[name]).save(tmp_path / f"{name}.png")
    diagnoser = Diagnoser(pairs=table, target=target)
    shown.clear()
    diagnoser.run()
    assert [one.tolist() for one in np.concatenate(shown)] == [images[name].tolist() for name in "acbd"]


def test_what_reads_audit_folders_takes_edits_from_elsewhere(
    audit: Diagnosis, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.path is not None
    other = Diagnoser(pairs=table, target=blue).run(out=tmp_path / "other")
    assert (
        main(["compare", str(audit.path), str(tmp_path / "other"), "--out", str(tmp_path / "page.html"), "--json"]) == 0
    )
    rows = {row["attribute"]: row for row in json.loads(capsys.readouterr().out)["attributes"]}
    assert (rows["red"]["difference"][0]["shift"], rows["blue"]["difference"][0]["shift"]) == ("less", "more")
    assert main(["gate", str(audit.path), "--max-sensitivity", "0.05"]) == 1
    assert "red" in capsys.readouterr().out
    assert main(["report", str(audit.path)]) == 0
    assert "edits by pairs" in capsys.readouterr().out
    assert main(["export-images", str(audit.path), "--out", str(tmp_path / "set"), "--license", "CC0-1.0"]) == 0
    described = (tmp_path / "set" / "croissant.json").read_text("utf-8")
    assert main(["model-index", str(audit.path), "--name", "a model"]) == 0
    described += capsys.readouterr().out
    assert "12 edited images, edits by pairs" in described
    for alien in ("generator", "synthetic", "Generated", "generated", "seed None", "standard deviations"):
        assert alien not in described, alien
    assert dict(tracking.parameters(other))["target"] == "blue"
    assert "sensitivity/red" in dict(tracking.metrics(other))


def test_who_answers_for_the_model_is_noted_and_nothing_is_asked_again(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    first = Diagnoser(pairs=table, target=red, owner="Mona", model_version="1.4").run(out=out)
    again = Diagnoser(pairs=table, target=red, owner="Nora").run(out=out)
    assert again.records == first.records
    assert (again.about.owner, again.about.model_version, again.about.purpose) == ("Nora", "1.4", "")
    assert again.about.audit_id == first.about.audit_id
    assert again.about.model_hash == again.config.content["target_details"]["content_hash"][:12]
    assert "Nora" in (out / "report.html").read_text(encoding="utf-8")


def blue(pictures: Any) -> Any:
    return red(pictures[..., ::-1])


def test_pictures_of_a_camera_are_shown_smaller_in_the_folder(tmp_path: Path) -> None:
    size = (1300, 130)
    for name, colour in (("a", (100, 90, 90)), ("b", (200, 90, 90))):
        write_picture(tmp_path / f"{name}.png", colour, size)
    table = write_table(tmp_path, [("a", "", 0, "a.png", ""), ("a", "red", 1, "b.png", "")])
    diagnosis = diagnose(table, tmp_path / "audit")
    (strip,) = Gallery.load(tmp_path / "audit").strips
    pictures = [(tmp_path / "audit" / frame.file).read_bytes() for frame in strip.frames]
    assert [Image.open(io.BytesIO(picture)).size for picture in pictures] == [(102, 1024)] * 2
    assert diagnosis.records[0].change == pytest.approx(100 / 255, abs=2e-3)
    assert diagnosis.records[0].ssim is not None


def test_a_target_of_small_pictures_is_not_tried_on_large_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []

    def probes(height: int, width: int, **more: Any) -> Any:
        sizes.append((height, width))
        return probe_images(height, width, **more)

    for module in ("zoom_engine.targets.target", "zoom_engine.runtime.compiled_networks"):
        monkeypatch.setattr(f"{module}.probe_images", probes)
    table = write_pairs(tmp_path, images=1, size=(1300, 1040))
    models = edited.load_edited(AuditSettings(pairs=table, target="avatars:mustache"))
    assert set(sizes) == {(128, 128)}
    assert models.runs.startswith("openvino")


def test_a_target_of_any_size_is_tried_on_smaller_pictures_than_a_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1300 pixels the probes took 2.4 GB and nine seconds before the first picture was looked at."""
    shown: list[tuple[int, ...]] = []

    def target(pictures: Any) -> Any:
        shown.append(pictures.shape)
        return red(pictures)

    edited.load_edited(AuditSettings(pairs=write_pairs(tmp_path, images=1, size=(1300, 1040)), target=target))
    assert max(shape[1:3] for shape in shown) == (512, 512)


def test_controls_with_fewer_strengths_are_told_of_where_the_largest_change_is_judged(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [("a", "", 0, "0.png", "")]
    write_picture(tmp_path / "0.png", (100, 90, 90))

    def notices(*edits: tuple[str, float, str]) -> list[str]:
        for number, (attribute, strength, kind) in enumerate(edits, start=len(rows)):
            write_picture(tmp_path / f"{number}.png", (100 + 9 * number, 90, 90))
            rows.append(("a", attribute, strength, f"{number}.png", kind))
        told = Diagnoser(pairs=write_table(tmp_path, rows), target=red).notices
        return [notice for notice in told if "strengths" in notice]

    assert not notices(("red", 1, ""), ("red", 2, ""), ("crop", 1, "control"))
    (notice,) = notices(("red", -1, ""))
    assert notice.startswith("attributes have up to 3 strengths and controls as few as 1, and")


def test_pictures_that_an_edit_left_as_they_were_say_nothing_of_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[Sequence[object]] = []
    for image in range(6):
        grey = 40 + 6 * image
        saved = {
            ("", 0): (grey, grey, grey),
            ("red", 1): (grey + 120, grey, grey),
            ("at times", 1): (grey + (120 if image < 4 else 1), grey, grey),
            ("never", 1): (grey + 1, grey, grey),
        }
        for (attribute, strength), colour in saved.items():
            file = tmp_path / f"{attribute}{image:03}.png"  # the corner has the colour of its end
            write_picture(file, colour)
            rows.append((image, attribute, strength, file.name, ""))
    table = write_table(tmp_path, rows)
    told: list[str] = []
    diagnosis = Diagnoser(pairs=table, target=red, notify=told.append).run(out=tmp_path / "audit")
    values = {row.attribute.text: (row.value, row.verdict) for row in diagnosis.sensitivity}
    assert values["at times"][0] == pytest.approx(values["red"][0])
    assert values["never"] == (None, "inconclusive")
    assert (diagnosis.finished, diagnosis.missing, len(diagnosis.records)) == (True, 0, 18)
    (line,) = [line for line in told if line.startswith("not edited")]
    assert "'never' of 6 images" in line
    assert "'at times' of 2 images" in line
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "Edits that were not made" in page
    assert "“at times” in 2 images and “never” in 6 images" in page
    assert "Not edited" in page
    verdict = judge(diagnosis, [Rule(max_sensitivity=0.9, attributes=("never",))])
    assert [(one.outcome, one.estimate) for one in verdict.findings] == [
        ("inconclusive", "not edited: no picture shows the edit")
    ]


def test_what_somebody_marked_as_not_made_is_no_evidence_that_the_target_does_not_mind(tmp_path: Path) -> None:
    table = write_pairs(tmp_path, controls=0)
    rows = table.read_text().splitlines()
    marks = [",no" if row.split(",")[1] == "blue" and row.split(",")[0] != "image 3" else "," for row in rows[1:]]
    table.write_text("\n".join([rows[0] + ",made", *(row + mark for row, mark in zip(rows[1:], marks, strict=True))]))
    diagnosis = Diagnoser(pairs=table, target=red).run()
    made = [(record.image, record.was_edited) for record in diagnosis.records if record.attribute == "blue"]
    assert made == [(image, image == 3) for image in range(6)]
    assert all(record.was_edited for record in diagnosis.records if record.attribute == "red")


def test_an_audit_none_of_whose_edits_was_made_says_so(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = []
    for image in range(3):
        for attribute, strength in (("", 0), ("never", 1)):
            file = tmp_path / f"{attribute}{image:03}.png"
            write_picture(file, (40 + bool(attribute), 40 + image, 40))
            rows.append((image, attribute, strength, file.name, ""))
    diagnosis = Diagnoser(pairs=write_table(tmp_path, rows), target=red).run(out=tmp_path / "audit")
    assert diagnosis.sensitivity[0].value is None
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "Inconclusive: no picture was edited" in page
    assert "Find out why no picture of “never” was edited." in page
    assert "With one image of an attribute" not in page
    assert diagnosis.table()


def test_rates_and_pictures_are_of_images_that_were_edited(tmp_path: Path) -> None:
    """Ten images, of which four were edited, and all four flip: the table, the summary and the page say so."""
    rows: list[Sequence[object]] = []
    for image in range(10):
        grey, made = 60 + 5 * image, image >= 6
        for name, red_of, mark in (("", grey, ""), ("red", grey + 100 * made, "" if made else "no")):
            write_picture(tmp_path / f"{image}-{name}.png", (red_of, grey, grey))
            rows.append((f"image {image}", name, 1 if name else 0, f"{image}-{name}.png", "", mark))
    table = write_table(tmp_path, rows, (*HEADER, "made"))
    diagnosis = Diagnoser(pairs=table, target=red).run(out=tmp_path / "audit")
    summary = diagnosis.summary()
    assert (summary.images, summary.edited_images, summary.flip_rate, summary.decisive_images) == (10, 4, 1.0, 4)
    assert "100 % of the 4 edited images flip" in diagnosis.table()
    strips = json.loads((tmp_path / "audit" / "gallery.json").read_text())["strips"]
    assert strips
    assert {strip["image"] for strip in strips} <= {6, 7, 8, 9}
    assert not any(strip["extreme"] for strip in strips), "all four move alike"
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "by 0.39 on average (4 images)" in page
    assert "(10 images)" not in page
    assert "on 10 images, of which 4 were edited;" in page


def test_controls_that_were_not_made_are_named(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = []
    for image in range(4):
        grey = 60 + 5 * image
        for name, red_of, kind, mark in (
            ("", grey, "", ""),
            ("red", grey + 60, "", ""),
            ("left", grey, "control", "no"),
            ("lost", grey, "control", "no" if image else ""),
        ):
            write_picture(tmp_path / f"{image}-{name}.png", (red_of, grey, grey))
            rows.append((f"image {image}", name, 1 if name else 0, f"{image}-{name}.png", kind, mark))
    told: list[str] = []
    table = write_table(tmp_path, rows, (*HEADER, "made"))
    Diagnoser(pairs=table, target=red, notify=told.append).run(out=tmp_path / "some")
    (line,) = [line for line in told if line.startswith("not edited")]
    assert "'left' of 4 images" in line
    assert "'lost' of 3 images" in line
    assert "“left” in 4 images and “lost” in 3 images" in (tmp_path / "some" / "report.html").read_text()
    none = write_table(tmp_path, [(*row[:5], "no" if row[4] else "") for row in rows], (*HEADER, "made"))
    Diagnoser(pairs=none, target=red, smallest_effect=0.01).run(out=tmp_path / "none")
    page = (tmp_path / "none" / "report.html").read_text()
    assert "no edited control to compare with" in page
    assert "controls were tried" not in page


def test_several_targets_are_shown_the_same_pictures(
    table: Path, audit: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the audit that it has alone; files are read once for all of them, but for those of strips."""
    read: list[Wanted] = []
    of_files = Pairs.read

    def counted(self: Pairs, wanted: Sequence[Wanted]) -> Any:
        read.extend(wanted)
        return of_files(self, wanted)

    monkeypatch.setattr(Pairs, "read", counted)
    both = Diagnosers(pairs=table, target={"red": red, "blue": blue}).run(out=tmp_path / "both")
    assert list(both) == ["red", "blue"]
    assert both["red"].records == audit.records
    assert both["red"].baseline == audit.baseline
    alone = Diagnoser(pairs=table, target=blue).run()
    assert both["blue"].records == alone.records
    assert both["blue"].config == alone.config
    index = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    assert 'href="red/report.html"' in index
    assert '<a href="../index.html">' in (tmp_path / "both" / "blue" / "report.html").read_text(encoding="utf-8")
    read.clear()
    Diagnosers(pairs=table, target=[red, blue]).run()
    assert len(read) == len(set(read)), "in memory nothing is drawn"
    with pytest.raises(ConfigError, match=r"a Diagnoser audits one target: Diagnosers.* audits several"):
        Diagnoser(pairs=table, target=[red, blue])


@pytest.mark.parametrize("at", [2, pytest.param(3, marks=pytest.mark.ci)])
def test_several_targets_that_are_interrupted_go_on(
    table: Path, audit: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Each where it was."""
    both = Diagnosers(pairs=table, target={"red": red, "blue": blue}, batch_size=30)
    with monkeypatch.context() as once:
        once.setattr(AuditFolder, "append", interrupted(at))
        with pytest.raises(KeyboardInterrupt):
            both.run(out=tmp_path)
    assert [Diagnosis.load(tmp_path / name).finished for name in ("red", "blue")] == [False, False]
    resumed = both.run(out=tmp_path)
    assert (resumed["red"].records, resumed["red"].baseline) == (audit.records, audit.baseline)
    assert resumed["blue"].records == Diagnoser(pairs=table, target=blue).run().records


def test_the_command_line_takes_several_targets(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = ["--target", "avatars:eyeglasses", "--target", "avatars:mustache"]
    assert main(["diagnose", "--pairs", str(table), *targets, "--out", str(tmp_path / "audits")]) == 0
    assert "index.html" in capsys.readouterr().out
    assert all((tmp_path / "audits" / name / "report.html").is_file() for name in ("eyeglasses", "mustache"))


def test_an_attribute_that_some_images_lack_can_be_settled_by_more_images(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = []
    for image in range(10):
        grey = 40 + 6 * image
        colours = {"": (grey,) * 3, "red": (200, grey, grey), "blue": (grey, grey, 200), "green": (grey, 200, grey)}
        for attribute, colour in colours.items():
            if attribute != "blue" or image < 8:
                file = tmp_path / f"{attribute}{image:03}.png"
                write_picture(file, colour)
                rows.append((image, attribute, int(bool(attribute)), file.name, ""))
    needed = {row.attribute.text: row.images_to_settle for row in diagnose(write_table(tmp_path, rows)).sensitivity}
    assert needed["blue"] == pytest.approx(needed["green"], rel=0.2)
