"""An audit's pictures as a data set: pairs, a table that says what they are, and Croissant metadata."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from audits import ATTRIBUTES, LABELS, manifest, single
from PIL import Image
from simulated import simulated

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.cli import main
from zoom_engine.integrations.image_set import COLUMNS, describe
from zoom_engine.statistics.diagnosis import Diagnosis


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    about = manifest(labels=LABELS, neutral="a face", generator="1234")
    path = Diagnosis(about, tuple(single(i, c) for i in range(2) for c in range(3))).save(tmp_path / "audit")
    strips: list[dict[str, Any]] = []
    (path / "images").mkdir()
    for seed, attribute in enumerate(ATTRIBUTES[:2]):
        frames = []
        for step in range(3):
            name = f"images/{seed}-{step}.png"
            Image.new("RGB", (4, 4), (10 * seed, step, 0)).save(path / name)
            frames.append({"file": name, "weight": 3.5 * step if step else None, "caption": f"0.{step}"})
        strip = {"kind": "typical", "attribute": attribute, "seed": seed, "flipped": bool(seed), "label_kept": None}
        strips.append({**strip, "ssim": 0.9, "original_caption": "0.0", "caption": "0.2", "frames": frames})
    with AuditFolder.resume(path, about) as folder:
        folder.write_json("gallery.json", {"strips": strips, "sheets": []})
    return path


def test_pairs_lie_beside_a_table_of_them(audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-images", str(audit), "--out", str(tmp_path / "set"), "--license", "Apache-2.0"]) == 0
    assert "Wrote 2 pairs" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "set" / "pairs.csv").read_text().splitlines()))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["name"] for row in rows] == ["smiling", "pale skin"]
    assert [row["edit_weight"] for row in rows] == ["7.0", "7.0"]
    assert (rows[1]["flipped"], rows[1]["label_kept"], rows[1]["seed"]) == ("True", "", "1")
    pixels = {}
    for what in ("original", "edited"):
        with Image.open(tmp_path / "set" / rows[1][what]) as picture:
            pixels[what] = picture.getpixel((0, 0))
    assert pixels == {"original": (10, 0, 0), "edited": (10, 2, 0)}


def test_attributes_of_one_short_name_are_told_apart(tmp_path: Path) -> None:
    names = ("a face with blond hair", "a blond hair face")
    audit = simulated(images=3, attributes=names, means=(0.2, 0.1), neutral="a face", path=tmp_path / "audit")
    assert audit.path is not None
    Image.new("RGB", (4, 4)).save(audit.path / "a.png")
    frames = [{"file": "a.png", "weight": weight, "caption": ""} for weight in (None, 1.0)]
    strip = {"kind": "typical", "flipped": True, "label_kept": None, "ssim": 0.9, "original_caption": "", "caption": ""}
    strips = [{**strip, "attribute": name, "seed": 0, "frames": frames} for name in names]
    with AuditFolder.resume(audit.path, audit.manifest) as folder:
        folder.write_json("gallery.json", {"strips": strips, "sheets": []})
    assert main(["export-images", str(audit.path), "--out", str(tmp_path / "set"), "--license", "Apache-2.0"]) == 0
    rows = list(csv.DictReader((tmp_path / "set" / "pairs.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == list(names)


def test_the_description_is_of_these_files(audit: Path, tmp_path: Path) -> None:
    assert main(["export-images", str(audit), "--out", str(tmp_path / "set"), "--license", "Apache-2.0"]) == 0
    told = json.loads((tmp_path / "set" / "croissant.json").read_text())
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert told["license"] == "Apache-2.0"
    assert "audit of avatars:mustache" in told["description"]
    table, pictures = told["distribution"]
    assert table["sha256"] == hashlib.sha256((tmp_path / "set" / "pairs.csv").read_bytes()).hexdigest()
    assert pictures["includes"] == "images/*.png"
    assert [field["source"]["extract"]["column"] for field in told["recordSet"][0]["field"]] == list(COLUMNS)


def test_pictures_of_photographs_are_not_called_synthetic() -> None:
    """They show who was photographed, and were handed on as synthetic under the generator's licence alone."""
    told = {}
    for which, files in (("generated", []), ("photographed", ["a.png", "b.png"])):
        about = manifest(labels=LABELS, neutral="a face", generator="1234", images=2, audited=files)
        records = tuple(single(i, c) for i in range(2) for c in range(3))
        told[which] = describe(Diagnosis(about, records), b"", licence="Apache-2.0")["description"]
    assert "All are synthetic, drawn by the generator 1234, whose licence is given." in told["generated"]
    assert "synthetic" not in told["photographed"]
    assert "what the generator 1234 draws of a photograph, whose subject it may show" in told["photographed"]


def test_what_cannot_be_exported_is_one_line(audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    licensed = ["--license", "Apache-2.0"]
    assert main(["export-images", str(audit), "--out", str(tmp_path / "set")]) == 2, "a licence is not guessed"
    assert main(["export-images", str(audit), "--out", str(audit), *licensed]) == 1
    assert "holds an audit" in capsys.readouterr().err
    (audit / "images" / "1-2.png").rename(tmp_path / "gone.png")
    for name in ("set", "sets/of/mine"):
        assert main(["export-images", str(audit), "--out", str(tmp_path / name), *licensed]) == 1
        assert re.fullmatch(r"zoom-engine: cannot read .*1-2\.png: no such file .*\n", capsys.readouterr().err)
        assert not (tmp_path / Path(name).parts[0]).exists(), "half a set was left, and refused the next time"
    (tmp_path / "empty").mkdir()
    os.mkfifo(audit / "images" / "1-2.png")
    assert main(["export-images", str(audit), "--out", str(tmp_path / "empty"), *licensed]) == 1
    assert "it is a folder, a pipe or a device" in capsys.readouterr().err
    assert list((tmp_path / "empty").iterdir()) == []
    (audit / "gallery.json").unlink()
    assert main(["export-images", str(audit), "--out", str(tmp_path / "set"), *licensed]) == 1
    assert "has no pictures" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
