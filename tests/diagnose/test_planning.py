"""A plan divides what is shared, and says what it does not know. What it counts is held to an audit in
`test_diagnoser.py`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.measurements import measure, with_baselines
from zoom_engine.diagnose.models import run_of
from zoom_engine.diagnose.planning import Count, Part, Plan, evaluations, pictures_once, plan
from zoom_engine.directions import direction_method
from zoom_engine.directions.gradient_relevance import RANDOM_TEXTS
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.runtime import Synthesizer
from zoom_engine.settings.audit_settings import RunSettings

ATTRIBUTES = ["a face with pale skin", "a smiling face"]


def part(*targets: str, **more: Any) -> Part:
    return Part(
        targets=targets,
        attributes=20,
        random_directions=6,
        search="scan",
        records=260_000,
        once={"unedited images": Count(3600, 7200)},
        every_image={"search": Count(36_000, 72_000)},
        step=1.0,
        rate=more.pop("rate", 1.0),
        rate_from="as given",
        record_bytes=Count(4e8, 9e8),
        memory=Count(2e9, 2e9),
    )


def test_what_is_shared_is_divided_and_what_is_not_is_told() -> None:
    made = Plan(images=10_000, parts=(part("a model"),), unknown=("how many searches flip",))
    assert made.hours(1) == Count(11, 22)
    assert made.hours(10) == Count(2, 4)
    text = made.text(10)
    assert max(map(len, text.split("\n"))) <= 80
    assert " ".join(text.split()).startswith(
        "a model: 10,000 images, 20 attributes and 6 random directions, search scan: 260,000 records"
    )
    assert "with 10 such workers" in text
    assert "2 to 4 h" in text
    assert "0.4 to 0.9 GB" in text
    assert "- how many searches flip" in text
    assert text.split("\n")[-1].startswith("memory to add them up"), "what it takes in all comes last"
    assert "workers" not in made.text(1)


def test_targets_that_share_no_pictures_add_up() -> None:
    made = Plan(images=10_000, parts=(part("old", "new"), part("other", rate=2.0)), unknown=())
    assert made.hours(1) == Count(16.5, 33)
    result = made.to_json(10)
    assert (result["targets"], result["records"]) == (["old", "new", "other"], 520_000)
    assert result["pictures"] == {"least": 79_200, "most": 158_400}
    assert [len(part["targets"]) for part in result["parts"]] == [2, 1]
    text = made.text(1)
    assert text.count("pictures of all images") == 2
    assert text.index("old, new:") < text.index("other:") < text.index("All of them, one after the other")
    assert text.count("records.jsonl") == 1
    assert "0.8 to 1.8 GB" in text


@pytest.mark.slow
def test_the_command_takes_the_options_of_an_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(f'generator = "avatars"\ntarget = "avatars:mustache"\nattributes = {json.dumps(ATTRIBUTES)}\n')
    arguments = ["plan", "--config", str(config), "--images", "10000", "--workers", "4", "--quiet", "--rate"]
    assert main([*arguments, "20", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["records"], result["parts"][0]["rate_from"]) == (
        10_000,
        2 * 10_000 + 48 * 8 + 12,
        "as given",
    )
    assert result["hours"]["4"]["most"] < result["hours"]["1"]["most"] < 4.1 * result["hours"]["4"]["most"]
    for rate in ("0", "inf", "nan"):
        assert main([*arguments, rate, "--json"]) == 1
        assert "rate must be greater than 0" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/manifest.json"))


@pytest.mark.slow
def test_around_photographs_as_many_images_are_planned_as_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was a plan of the 200 images that an audit without photographs has."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for shade in (40, 120, 200):
        Image.new("RGB", (128, 128), (shade, 90, 90)).save(photos / f"{shade}.png")
    (photos / "notes.txt").write_text("taken on Sunday")
    models = ["--generator", "avatars", "--target", "avatars:mustache", "--attribute", ATTRIBUTES[0]]
    assert main(["plan", *models, "--photos", str(photos), "--rate", "20", "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 3
    assert result["unknown"][0].startswith("which of 3 photographs the generator can draw")
    assert result["unknown"][1].endswith(", and no bound"), "a scan of a margin that leaps takes more"


def test_photographs_of_which_none_can_be_read_are_refused_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("taken on Sunday")
    models = ["--generator", "avatars", "--target", "avatars:mustache", "--attribute", ATTRIBUTES[0]]
    assert main(["plan", *models, "--photos", str(tmp_path), "--rate", "20"]) == 1
    assert "none of 1 photograph can be read: notes.txt is no JPEG, PNG or WebP picture" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["sampled", "gradient"])
def test_edit_directions_take_as_many_pictures_as_samples_are_asked_for(method: str) -> None:
    def planned(**options: Any) -> float:
        options |= {"generator": "avatars", "target": "avatars:mustache", "attributes": ATTRIBUTES}
        return pictures_once([Diagnoser(**options, directions=method).models], 1.0)["edit directions"].most

    assert planned(samples=8) == planned() * 8 / direction_method(method).samples


def test_ranges_are_measured_on_no_fewer_unedited_images_however_few_samples_directions_take() -> None:
    options: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache", "attributes": ATTRIBUTES}
    counts = [
        pictures_once([Diagnoser(**options, samples=samples, edit_range=how).models], 1.0)["unedited images"].most
        for how, samples in (("calibrated", 64), ("paper", 64), ("calibrated", 512))
    ]
    assert counts == [SAMPLES, 64, 512]


@pytest.mark.slow(20)
def test_directions_of_control_prompts_and_paraphrases_and_what_they_leave_alone_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache", "attributes": ATTRIBUTES}
    options |= {"keep": ["a face with a beard"], "paraphrases": 2, "samples": 256, "random_directions": 2}
    models, drawn, render = Diagnoser(**options, cache=tmp_path).models, list[int](), Synthesizer.render
    monkeypatch.setattr(
        Synthesizer, "render", lambda self, codes, *given: drawn.append(len(codes)) or render(self, codes, *given)
    )
    with_baselines([models], [measure(models, RunSettings(images=1))])
    planned = pictures_once([models], 1.0)
    report = planned.pop("the report")
    assert report.least
    assert sum(count.least for count in planned.values()) <= sum(drawn) <= sum(count.most for count in planned.values())
    by_gradients = Diagnoser(**{**options, "directions": "gradient", "samples": 8}).models
    texts = 3 * len([*ATTRIBUTES, "a face with a beard"]) + len(models.control_prompts)
    assert pictures_once([by_gradients], 1.0)["edit directions"].most == 8 * (RANDOM_TEXTS + texts)


@pytest.mark.parametrize(
    ("stated", "count"),
    [
        ({}, None),
        ({"most_evaluations": 12}, Count(2, 24)),
        ({"evaluations": lambda planned: (planned.targets, 3 + planned.attributes)}, Count(2, 5)),
    ],
)
def test_a_packages_search_is_planned_by_what_it_says_that_it_takes(
    stated: dict[str, Any], count: Count | None
) -> None:
    search, settings = SimpleNamespace(**stated), SimpleNamespace(edit_range="paper")
    audit: Any = SimpleNamespace(search=search, settings=settings, attributes=("a", "b"), labels=())
    assert evaluations(audit, targets=2) == count


@pytest.mark.parametrize(
    ("options", "threads", "told"),
    [
        ([], None, False),
        (["--threads", "3"], 3, False),
        (["--workers", "4"], 2, False),
        (["--worker-cores", "5"], 5, False),
        (["--cluster", "auto", "--worker-cores", "16"], 8, True),
        (["--workers", "4", "--worker-cores", "16", "--rate", "20"], 8, False),
    ],
)
def test_pictures_of_workers_are_measured_by_as_many_threads_as_one_has(
    options: list[str],
    threads: int | None,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = list[int | None]()

    def measuring(count: int | None, progress: object) -> None:
        asked.append(count)
        raise ConfigError("far enough")

    monkeypatch.setattr(importlib.import_module("zoom_engine.cli.plan"), "use_threads", measuring)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert main(["plan", "--generator", "avatars", "--target", "avatars:mustache", *options]) == 1
    assert asked == [threads]
    assert ("a worker has 16 cores, this machine 8" in " ".join(capsys.readouterr().err.split())) == told


def test_threads_beside_workers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["plan", "--generator", "avatars", "--target", "avatars:mustache", "--threads", "3"]
    (tmp_path / "audit.toml").write_text("workers = 4")
    for workers in (["--workers", "4"], ["--config", str(tmp_path / "audit.toml")]):
        assert main([*line, *workers]) == 1
        assert "workers have --worker-cores: leave it out" in capsys.readouterr().err


def test_more_images_than_there_are_codes_are_refused_as_the_audit_does() -> None:
    models: Any = SimpleNamespace(
        generator=SimpleNamespace(population=200), settings=SimpleNamespace(photos=None, mode="single")
    )
    with pytest.raises(ConfigError, match="there are 200 codes to sample, not 201"):
        plan([[models]], RunSettings(images=201), rate=1.0)
    assert run_of(models, RunSettings(images=200)).most == 200
    assert run_of(models, RunSettings()).most == 200, "as many as there are"
