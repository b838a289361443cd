"""An audit around photographs, end to end on the embedded models: what it writes, says, keeps and resumes."""

from __future__ import annotations

import dataclasses
import html
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zoom_engine import Diagnoser, Diagnosers, Diagnosis, load_generator
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, PhotographError
from zoom_engine.common.files.png import to_pixels
from zoom_engine.diagnose.own_photographs import crops_of, inverter
from zoom_engine.domains.pets import sample
from zoom_engine.photographs import Inversion, Inverter, judging
from zoom_engine.targets import BinaryTask, Preprocessing, Target

pytestmark = pytest.mark.slow

ATTRIBUTES = ["a face with pale skin", "a smiling face"]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Few steps, as the photographs are pictures near the generator's mean; a quarter of the pairs that say how far
    apart unedited pictures lie, which each run draws anew."""
    with pytest.MonkeyPatch.context() as patch:
        original = Inverter.__init__

        def few(self: Inverter, *models: Any, **options: Any) -> None:
            original(self, *models, **options, inversion=Inversion(steps=14, refining=4, rate=0.3, samples=256))

        patch.setattr(Inverter, "__init__", few)
        patch.setattr(judging, "PAIRS", 8)
        yield


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three faces of which one tells where it was taken, a pet, and a text."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = load_generator("avatars")
    with torch.no_grad():
        faces = to_pixels(generator.render(generator.sample([1, 2, 3], truncation=0.3)))
    place = Image.Exif()
    place[0x010F] = "Secret Camera"
    place[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    for name, face in zip("abc", faces, strict=True):
        Image.fromarray(face).save(folder / f"{name}.jpg", quality=97, exif=place)
    Image.fromarray(sample(1, 5)[0][0]).save(folder / "pet.png")
    (folder / "text.png").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def diagnoser(photographs: Path) -> Diagnoser:
    return Diagnoser(
        generator="avatars",
        target="avatars:mustache-biased-pale-skin",
        attributes=ATTRIBUTES,
        edit_range="paper",
        random_directions=0,
        photos=photographs,
    )


@pytest.fixture(scope="module")
def audit(diagnoser: Diagnoser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audits") / "audit"
    diagnoser.run(out=out)
    return out


def test_it_audits_what_the_generator_draws_and_names_the_rest(audit: Path, photographs: Path) -> None:
    diagnosis = Diagnosis.load(audit)
    assert diagnosis.config.photographs == ("a.jpg", "b.jpg", "c.jpg")
    assert diagnosis.config.images == 3
    assert diagnosis.missing == 0
    result = {entry["file"]: entry for entry in json.loads((audit / "photographs.json").read_text())["photographs"]}
    assert result["pet.png"]["refused"].startswith("is not what the generator draws")
    assert result["text.png"]["refused"] == "is no JPEG, PNG or WebP picture"
    for name in diagnosis.config.photographs:
        entry = result[name]
        assert max(entry["seen"], entry["pixels"]) < entry["largest"] < result["pet.png"]["pixels"]
        assert entry["change"] < 0.1
        assert entry["label_kept"]
    assert {record.seed for record in diagnosis.records} == {
        result[name]["seed"] for name in ("a.jpg", "b.jpg", "c.jpg")
    }
    notices = diagnosis.manifest.notices
    assert any("cut to the square in their middle: a.jpg; b.jpg" in notice for notice in notices)
    assert any("2 of 5 photographs are left out: pet.png is not what" in notice for notice in notices)


def test_results_are_grouped_by_photograph_in_summary_and_page(audit: Path) -> None:
    summary = json.loads((audit / "summary.json").read_text())
    records = Diagnosis.load(audit).records
    assert [row["file"] for row in summary["photographs"]] == ["a.jpg", "b.jpg", "c.jpg"]
    for row in summary["photographs"]:
        of_image = [record for record in records if record.image == row["image"]]
        assert sorted(row["flips"]) == sorted(str(record.attribute) for record in of_image if record.flipped)
        assert [change["change"] for change in row["changes"]] == sorted((r.change for r in of_image), reverse=True)
    page = (audit / "report.html").read_text()
    assert "Photograph by photograph" in page
    assert "The generator draws each photograph again" in page
    assert "pet.png" in page
    assert any(f"photograph {name}.jpg" in page for name in "abc")
    assert "Images are generated" not in page


def test_nothing_that_is_written_holds_what_a_photograph_tells_beside_its_pixels(audit: Path) -> None:
    files = [path for path in audit.rglob("*") if path.is_file()]
    assert any(path.name == "photograph-0.png" for path in files)
    assert not [path for path in files if b"Secret Camera" in path.read_bytes()]
    for path in files:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert not picture.getexif()
                assert not picture.info


def test_a_resumed_run_inverts_nothing_twice_and_ends_alike(
    audit: Path, diagnoser: Diagnoser, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "audit"
    shutil.copytree(audit / "inversions", out / "inversions")  # as a run leaves it that is killed after them
    monkeypatch.setattr(Inverter, "invert", lambda *_: pytest.fail("inverted again"))
    diagnoser.run(out=out)
    assert (out / "records.jsonl").read_bytes() == (audit / "records.jsonl").read_bytes()
    diagnoser.run(out=out)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (out, audit)]
    of_run = {name: manifests[0][name] for name in ("begun", "searched")}
    assert manifests[0] == {**manifests[1], **of_run}
    more = photographs / "d.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(more)
    try:
        with pytest.raises(AuditError, match="other settings"):
            diagnoser.run(out=out)
    finally:
        more.unlink()


class AnotherAt(nn.Module):
    """Says 0.98 of every picture but those within ``near`` (mean square) of one, of which it says 0.60."""

    def __init__(self, one: torch.Tensor, near: float) -> None:
        super().__init__()
        self.register_buffer("one", one)
        self.near = near

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_near = (x - self.one).square().mean((1, 2, 3), keepdim=True)[:, :, 0, 0] < self.near
        logit = torch.where(is_near, torch.tensor(0.60).logit(), torch.tensor(0.98).logit())
        return logit + 0.01 * x.mean((1, 2, 3))[:, None]  # one answer for all is refused


def test_kept_inversions_are_held_to_each_target_anew_and_what_moves_it_is_told_wherever_one_looks(
    audit: Path, diagnoser: Diagnoser, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = next(crop for crop in crops_of(diagnoser.models) if crop.file == "a.jpg")
    with torch.no_grad():
        codes = inverter(diagnoser.models).codes([crop], cache=audit / "inversions")
        inversion = diagnoser.models.synthesizer.render(codes)
    near = 0.1 * float((inversion - crop.image).square().mean())
    preprocessing = Preprocessing(size=128, value_range=(-1.0, 1.0))
    target = Target(AnotherAt(inversion, near), name="another", task=BinaryTask(), preprocessing=preprocessing)
    out = tmp_path / "audit"
    shutil.copytree(audit / "inversions", out / "inversions")  # of another target, or of a run that was killed
    monkeypatch.setattr(Inverter, "invert", lambda *_: pytest.fail("inverted again"))
    told: list[str] = []
    other = Diagnoser(dataclasses.replace(diagnoser.settings, target=target, labels=[]), notify=told.append)
    refused = (
        "a.jpg changes the target's answer when the generator draws it: 0.98 becomes 0.60, a change of 0.38 (decisive"
        " from 0.1 on); frame it as the generator's pictures are, or leave it out"
    )
    for _ in range(2):  # begun, and gone on with
        result = other.run(out=out)
        assert result.config.photographs == ("b.jpg", "c.jpg")
        assert [record.image for record in result.records if record.attribute == ATTRIBUTES[0]] == [0, 1]
        (line,) = [notice for notice in told if "left out" in notice]
        assert refused in line
        assert "\n" not in line
        told.clear()
    assert any(refused in notice for notice in result.manifest.notices)
    entry = json.loads((out / "photographs.json").read_text())["photographs"][0]
    assert (entry["output"], entry["inverted_output"], entry["flipped"]) == ("0.98", "0.60", False)
    assert f"{entry['file']} {entry['refused']}" == refused
    assert entry["image"] is None
    page = html.unescape((out / "report.html").read_text())
    assert f"Left out: {entry['refused']}." in page


def test_none_left_is_one_error(diagnoser: Diagnoser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / "noise.png")
    models = dataclasses.replace(
        diagnoser.models,
        settings=dataclasses.replace(diagnoser.settings, photos=folder),
    )
    monkeypatch.setattr(diagnoser, "models", models)
    with pytest.raises(PhotographError, match=r"none of 1 photograph can be audited: noise.png is not what the gen"):
        diagnoser.run()


def test_images_are_not_counted_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--generator", "avatars", "--target", "avatars:mustache", "--photos", str(tmp_path)]
    assert main(["diagnose", *given, "--images", "5", "--out", str(tmp_path / "audit")]) == 1
    assert "with --photos all photographs of the folder are audited" in capsys.readouterr().err


def test_several_targets_share_what_was_found_of_the_photographs(
    audit: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["mustache-biased-pale-skin", "mustache"]
    shutil.copytree(audit / "inversions", tmp_path / names[0] / "inversions")
    monkeypatch.setattr(Inverter, "invert", lambda *_: pytest.fail("a photograph was looked for again"))
    results = Diagnosers(
        generator="avatars",
        target=[f"avatars:{name}" for name in names],
        attributes=ATTRIBUTES,
        edit_range="paper",
        random_directions=0,
        photos=photographs,
    ).run(out=tmp_path)
    assert list(results) == names
    assert results[names[0]].records == Diagnosis.load(audit).records
    files = [sorted(path.name for path in (tmp_path / name / "inversions").iterdir()) for name in names]
    assert files[0] == files[1]
    assert (tmp_path / "index.html").is_file()
