"""Whole audits of photographs that an editor edits: the records, the manifest, services that fail, the command line."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from asked_edits import lighter_png
from numpy.typing import NDArray
from PIL import Image
from service_stand import Stand, stand

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.gallery_file import Gallery
from zoom_engine.audit.records import Record
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, EditorError
from zoom_engine.diagnose import edited
from zoom_engine.edits.corruptions import Corruptions
from zoom_engine.settings.audit_settings import AuditSettings

pytestmark = pytest.mark.slow

IMAGES = 12


def light(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A black box: the probability that a picture is light, its mean."""
    return np.asarray(pictures.mean(axis=(1, 2, 3)) / 255)


def dark(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A black box: the probability that a picture is dark."""
    return 1 - light(pictures) / 2


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise around grey, of two sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(IMAGES):
        chance = np.random.default_rng(index)
        picture = chance.integers(60, 180, (24 + 8 * (index % 2), 32, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{index:02d}.png")
    return folder


def test_corruptions_are_audited_in_their_units(photographs: Path, tmp_path: Path) -> None:
    audit = Diagnoser(editor="corruptions", photos=photographs, target=light).run(out=tmp_path / "audit")
    assert (audit.finished, len(audit.records)) == (True, 10 * IMAGES)
    edits = audit.config.edits
    assert edits is not None
    assert (edits.kind, edits.images[0], edits.controls) == ("corruptions", "00.png", ())
    assert {edit.name: edit.unit for edit in edits.attributes}["rotation"] == "°"
    assert edits.attributes[0].strengths == Corruptions().strengths("brightness")
    rows = {row.attribute.text: row for row in audit.sensitivity}
    assert audit.sensitivity[0].attribute.text == "brightness"
    assert rows["brightness"].verdict == "sensitive"
    assert rows["rotation"].verdict != "sensitive"
    record = next(one for one in audit.records if one.attribute == "brightness")
    assert [point.weights[0] for point in record.trajectory] == [-2, -1, -0.5, 0, 0.5, 1, 2]
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "brightness <small>(stops)</small>" in page
    assert "strength +2 stops" in page
    again = Diagnoser(editor=Corruptions(), photos=photographs, target=light).run(out=tmp_path / "audit")
    assert key(again) == key(audit)


@dataclass(frozen=True)
class Counting:
    """Corruptions that note what they are asked for."""

    asked: list[tuple[int, str, float]]
    made: Corruptions = field(default_factory=lambda: Corruptions(brightness=[-1, 1, 2], blur=[1, 2], jpeg=[50]))
    name: ClassVar[str] = "counting"

    @property
    def attributes(self) -> tuple[str, ...]:
        return ("brightness", "blur", "JPEG")

    def strengths(self, attribute: str) -> tuple[float, ...]:
        return self.made.strengths(attribute)

    def unit(self, attribute: str) -> str:
        return self.made.unit(attribute)

    def edit(self, pictures: Sequence[Any], attribute: str, strength: float, seeds: Sequence[int]) -> Sequence[Any]:
        self.asked.extend((seed, attribute, strength) for seed in seeds)
        return self.made.edit(pictures, attribute, strength, seeds)

    def describe(self) -> dict[str, Any]:
        return {"editor": self.name}


def test_an_editor_is_not_asked_again_for_the_pictures_of_the_grids(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips show a few pictures more; where nothing may be kept, each picture is asked for again, and is the same."""
    asked: list[tuple[int, str, float]] = []

    def run(name: str) -> tuple[int, int, dict[str, bytes]]:
        asked.clear()
        made = Diagnoser(editor=Counting(asked), photos=photographs, target=light)
        checked = len(asked)
        made.run(out=tmp_path / name)
        images = {path.name: path.read_bytes() for path in (tmp_path / name / "images").iterdir()}
        strips = Gallery.load(tmp_path / name).strips
        return len(asked) - checked - 6 * IMAGES, sum(len(strip.frames) - 1 for strip in strips), images

    again, of_strips, pictures = run("kept")
    assert 0 <= again <= of_strips
    monkeypatch.setattr(edited, "KEPT", 0)
    without, of_strips, others = run("again")
    assert without == of_strips + 3 * IMAGES
    assert others == pictures


def test_another_photograph_or_other_strengths_are_another_audit(photographs: Path, tmp_path: Path) -> None:
    def run(**options: Any) -> Diagnosis:
        shown = {"attributes": ["brightness"], "photos": photographs, "target": light, **options}
        return Diagnoser(editor="corruptions", **shown).run(out=tmp_path / "audit")

    run(editor_options={"brightness": [1]})
    run(editor_options={"brightness": [1]})
    with pytest.raises(AuditError, match="other pictures"):
        run(editor_options={"brightness": [2]})
    more = tmp_path / "more"
    more.mkdir()
    Image.open(photographs / "00.png").save(more / "a.png")
    with pytest.raises(AuditError, match="other pictures"):
        run(editor_options={"brightness": [1]}, photos=more)


def key(audit: Diagnosis) -> list[Record]:
    return sorted(audit.records, key=lambda record: (record.image, record.attribute))


def by_service(service: Stand, photographs: Path, out: Path, **options: Any) -> Diagnosis:
    options = {"strengths": [-30, 30], "timeout": 5.0, "cache": False, **options}
    asked = {"attributes": ["light", "dark"], "photos": photographs, "target": light, "smallest_effect": 0.05}
    return Diagnoser(editor=service.url, editor_options=options, **asked).run(out=out)


def failing_in(share: float, seed: int = 0) -> Any:
    chance, lock = random.Random(seed), threading.Lock()
    failures = [(503, b""), (200, b"<html>"), (500, b"oops"), (200, b"\x89PNG\r\n\x1a\n")]

    def answer(headers: dict[str, str], body: bytes) -> Any:
        with lock:
            failed = chance.random() < share
            reply = chance.choice(failures)
        return reply if failed else lighter_png(headers, body)

    return answer


def test_a_service_that_fails_in_5_percent_of_calls_gives_the_records_of_one_that_does_not(
    photographs: Path, tmp_path: Path
) -> None:
    with stand(lighter_png) as service:
        undisturbed = by_service(service, photographs, tmp_path / "undisturbed")
        calls = len(service.bodies)
        service.answer = failing_in(0.05)
        disturbed = by_service(service, photographs, tmp_path / "disturbed")
        assert calls >= 4 * IMAGES
        assert len(service.bodies) - calls > calls
    assert key(disturbed) == key(undisturbed)
    assert undisturbed.sensitivity[0].verdict == "sensitive"


@pytest.mark.parametrize(
    "answer", [(404, b"gone"), *(pytest.param((200, text), marks=pytest.mark.ci) for text in (b"<html>", b"\x89PNG"))]
)
def test_a_service_that_is_lost_ends_in_one_line_and_the_same_command_goes_on(
    photographs: Path, tmp_path: Path, answer: Any
) -> None:
    with stand(lighter_png) as service:
        undisturbed = by_service(service, photographs, tmp_path / "undisturbed")
        before = len(service.bodies)
        service.answer = lambda headers, body: (
            lighter_png(headers, body) if len(service.bodies) < before + 30 else answer
        )
        with pytest.raises(EditorError) as refusal:
            by_service(service, photographs, tmp_path / "audit", cache=True, version="of this test")
        assert "\n" not in str(refusal.value)
        service.answer, before = lighter_png, len(service.bodies)
        audit = by_service(service, photographs, tmp_path / "audit", cache=True, version="of this test")
        assert len(service.bodies) - before < 4 * IMAGES - 20, "what was answered is not asked again"
    assert key(audit) == key(undisturbed)


def test_a_file_of_settings_names_the_service_and_takes_its_key_from_the_environment(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address, headers, timeouts, tries and requests at a time, as a target's service has them; no file has the key."""
    keys: set[str] = set()

    def answer(headers: dict[str, str], body: bytes) -> Any:
        keys.add(headers["authorization"])
        return lighter_png(headers, body)

    with stand(answer) as service:
        options = 'strengths = [-30, 30]\nunit = "levels"\ntimeout = 5\npatience = 20\nat_once = 2\nrate = 400\n'
        options += 'headers = {Authorization = "$EDITOR_TOKEN"}\n'
        (tmp_path / "audit.toml").write_text(
            f'editor = "{service.url}"\nphotos = "{photographs}"\ntarget = "avatars:eyeglasses"\n'
            f'attributes = ["light"]\nout = "{tmp_path / "audit"}"\n\n[editor_options]\n{options}'
        )
        command = ["diagnose", "--config", str(tmp_path / "audit.toml")]
        assert main(command) == 1
        assert "names the environment variable EDITOR_TOKEN: set it\n" in capsys.readouterr().err
        monkeypatch.setenv("EDITOR_TOKEN", "Bearer 7f3a9c")
        assert main(command) == 0
        assert keys == {"Bearer 7f3a9c"}
        assert len(service.bodies) == 2 * IMAGES
        assert main([*command, "--editor-option", "at_once=0"]) == 1
        assert "'at_once' must be greater than 0" in capsys.readouterr().err
    files = [path for path in (tmp_path / "audit").rglob("*") if path.is_file()]
    assert not any(b"7f3a9c" in path.read_bytes() for path in files)
    audit = Diagnosis.load(tmp_path / "audit")
    assert audit.config.edits is not None
    assert audit.config.edits.attributes[0].unit == "levels"
    assert [point.weights[0] for point in audit.records[0].trajectory] == [-30, 0, 30]


FILE = """
import numpy as np


def fade(pictures, attribute, strength, seeds):
    return [np.rint(picture + (255.0 - picture) * strength).astype(np.uint8) for picture in pictures]
"""


def test_the_command_line_takes_a_file_only_with_trust(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fade.py").write_text(FILE)
    command = ["diagnose", "--editor", f"python:{tmp_path / 'fade.py'}:fade", "--photos", str(photographs)]
    command += ["--target", "avatars:eyeglasses", "--attribute", "fade", "--out", str(tmp_path / "audit")]
    command += ["--editor-option", "strengths=[0.2,0.8]", "--editor-option", "unit=of the way to white"]
    assert main(command) == 1
    assert "say so with trust=True (--trust)" in capsys.readouterr().err
    assert main([*command, "--trust"]) == 0
    audit = Diagnosis.load(tmp_path / "audit")
    assert audit.config.edits is not None
    assert audit.config.edits.attributes[0].unit == "of the way to white"
    assert [point.weights[0] for point in audit.records[0].trajectory] == [0, 0.2, 0.8]


def test_no_secret_of_an_editor_is_shown() -> None:
    options = {"strengths": [1], "headers": {"Authorization": "Bearer 7f3a9c"}}
    settings = AuditSettings(editor="http://127.0.0.1:1", editor_options=options, photos="photos", target=light)
    assert "7f3a9c" not in repr(settings)


def test_a_report_of_corruptions_asks_for_no_controls_there_and_says_what_the_order_means(
    photographs: Path, tmp_path: Path
) -> None:
    shown = {"attributes": ["brightness", "JPEG"], "photos": photographs, "target": light}
    Diagnoser(editor="corruptions", **shown).run(out=tmp_path / "audit")
    page = (tmp_path / "audit" / "report.html").read_text()
    assert "Add controls" not in page
    assert "What the order means" in page


def test_what_reads_audit_folders_takes_corruptions(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`compare`, `gate`, `export-images`, `track`; the pages say whose edits they are."""
    options = {"editor": "corruptions", "editor_options": {"brightness": [-2, 2], "blur": [1.0]}}
    for name, target in (("one", light), ("two", dark)):
        audited = {"attributes": ["brightness", "blur"], "photos": photographs, "target": target}
        Diagnoser(**options, **audited).run(out=tmp_path / name)
    one, two = (str(tmp_path / name) for name in ("one", "two"))
    assert main(["compare", one, two, "--out", str(tmp_path / "page.html")]) == 0
    assert "pictures edited by “corruptions”, no controls" in (tmp_path / "page.html").read_text("utf-8")
    assert main(["gate", one, "--max-sensitivity", "0.01"]) == 1
    assert main(["history", one, "--out", str(tmp_path / "history.html")]) == 0
    assert main(["export-images", one, "--out", str(tmp_path / "set"), "--license", "CC0-1.0"]) == 0
    assert "The edits come from elsewhere (corruptions)" in (tmp_path / "set" / "croissant.json").read_text("utf-8")
    with (tmp_path / "set" / "pairs.csv").open() as table:
        strengths = {(row["name"], float(row["edit_weight"])) for row in csv.DictReader(table)}
    assert strengths <= {("brightness", -2), ("brightness", 2), ("blur", 1)}
    capsys.readouterr()


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")  # MLflow's own
def test_an_audit_by_an_editor_is_tracked(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    audit = Diagnoser(
        editor="corruptions", attributes=["colour cast"], photos=photographs, target=light, owner="Mona"
    ).run(out=tmp_path / "audit")
    uri = f"file:{tmp_path / 'runs'}"
    assert main(["track", str(tmp_path / "audit"), "--mlflow", uri, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    tracked = importlib.import_module("mlflow").MlflowClient(tracking_uri=uri).get_run(run)
    assert tracked.data.metrics["sensitivity/colour cast"] == pytest.approx(audit.sensitivity[0].value)
    assert tracked.data.params["attributes"] == "colour cast"
    assert tracked.data.tags["owner"] == "Mona"


@pytest.mark.parametrize("option", ["--editor", "--pairs", "--photos"])
def test_repair_says_what_to_do_with_edited_photographs(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", "--target", "avatars:mustache", "--out", "nowhere", option, "corruptions"]) == 1
    told = capsys.readouterr().err
    assert "export-images writes a few pairs of each attribute alone" in told
    assert f"takes no {option}: give --generator" in told
    assert len(told.strip().splitlines()) == 1
    assert not Path("nowhere").exists()


def test_a_service_that_is_not_there_is_told_in_plain_words(photographs: Path, tmp_path: Path) -> None:
    with stand(lighter_png) as service:
        pass
    with pytest.raises(EditorError, match=r"last: Failed to establish a new connection"):
        by_service(service, photographs, tmp_path / "audit", patience=1.0)


def test_corruptions_that_move_places_are_told_of_where_places_are_answered(photographs: Path) -> None:
    def middle(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Two points, which no picture moves by much."""
        light = pictures.mean(axis=(1, 2, 3)) / 255
        return np.stack([np.stack([light, light], 1), np.stack([1 - light, light], 1)], 1)

    def told(target: Any, attribute: str, **options: Any) -> list[str]:
        lines: list[str] = []
        shown = {"attributes": [attribute], "photos": photographs, "target": target, **options}
        Diagnoser(editor="corruptions", notify=lines.append, **shown)
        return [line for line in lines if "what a picture shows" in line]

    points = {"target_options": {"task": {"task": "keypoints", "between": [0, 1]}}}
    (line,) = told(middle, "rotation", **points)
    assert line.startswith("rotation moves what a picture shows, and a right answer of keypoints with it")
    assert told(middle, "blur", **points) == told(light, "rotation") == []
