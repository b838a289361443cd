"""Experiments end in data, figures and a paragraph; what is finished is not made again, figures need the data alone."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from simulated import simulated
from torch import Tensor

from zoom_engine.cli import main
from zoom_engine.commands.editing import Editing
from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.common.progress import Progress, silent
from zoom_engine.common.threads import quiet
from zoom_engine.directions import EditDirections
from zoom_engine.experiments import EXPERIMENTS
from zoom_engine.experiments.docs import _made_by, write_docs
from zoom_engine.experiments.experiment import find_experiment
from zoom_engine.experiments.fine_tuning import Lessons, fine_tuned
from zoom_engine.experiments.folder import DATA, TEXT, Folder
from zoom_engine.experiments.optimizer import _ordering
from zoom_engine.experiments.run import JOINED, _shared, draw_again, run_experiment, write_page
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.threshold import THRESHOLDS
from zoom_engine.experiments.training import repair
from zoom_engine.experiments.truth import agreement, figures_of
from zoom_engine.experiments.wording import TEMPLATES
from zoom_engine.generators import load_generator
from zoom_engine.runtime import Synthesizer
from zoom_engine.settings.attributes import Attribute, slug
from zoom_engine.settings.audit_settings import LossWeights
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import RegressionTask, Target, save_onnx

SUBJECT = slug("a Skies")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the experiments of this file are made."""
    return tmp_path_factory.mktemp("experiments")


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name != "truth"])
def test_data_figures_and_a_paragraph(name: str, out: Path, models: dict[str, Any]) -> None:
    page = run_experiment(name, out, **models).read_text(encoding="utf-8")
    folder = out / SUBJECT / name
    with (folder / "data.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert len(table) > 1
    assert len(set(map(len, table))) == 1
    figures = sorted(path.stem for path in folder.glob("*.svg"))
    assert figures
    assert figures == sorted(path.stem for path in folder.glob("figure*.png"))
    text = (folder / "text.txt").read_text(encoding="utf-8")
    assert "How to read it" in text
    assert "What came out" in text
    assert "nan" not in text
    assert "%" not in text.replace(" %", ""), "a percentage is written with a space"
    assert f'href="#{name}-{SUBJECT}"' in page
    assert all(f"{SUBJECT}/{name}/{figure}.svg" in page for figure in figures)


def test_a_figure_is_drawn_again_from_its_data_alone(
    out: Path, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "combination"
    run_experiment(name, out, **models)
    monkeypatch.setattr("zoom_engine.experiments.study.Editing", None)
    folder = out / SUBJECT / name
    before = {path.name: path.read_bytes() for path in folder.glob("figure*")}
    for path in folder.glob("figure*"):
        path.unlink()
    run_experiment(name, out, **models)
    assert before == {path.name: path.read_bytes() for path in folder.glob("figure*")}
    draw_again(out, [name])
    assert before == {path.name: path.read_bytes() for path in folder.glob("figure*")}


def test_tasks_of_several_generators_stand_in_one_figure(out: Path, models: dict[str, Any], tmp_path: Path) -> None:
    run_experiment("tasks", out, **models)
    for subject in (SUBJECT, "another"):
        shutil.copytree(out / SUBJECT, tmp_path / subject)
    page = run_experiment("tasks", tmp_path, **models).read_text(encoding="utf-8")
    folder = tmp_path / JOINED / "tasks"
    targets = json.loads((folder / "data.json").read_bytes())["data"]["targets"]
    assert [target["target"] for target in targets] == [
        f"{subject}: {name}" for subject in (SUBJECT, "another") for name in ("blue", "two")
    ]
    assert [target["task"] for target in targets] == ["binary", "multilabel"] * 2
    assert all(len(target["strips"]) == 1 for target in targets)
    source = Folder(out / SUBJECT / "tasks")
    strip = (source.finished() or {})["data"]["targets"][0]["strips"][0]
    for file, joined in zip(strip["files"], targets[0]["strips"][0]["files"], strict=True):
        assert np.array_equal(source.load(file), Folder(folder).load(joined))
    assert f"{JOINED}/tasks/figure-1-strips.svg" in page
    assert len(list(folder.glob("figure*"))) == 2
    before = (folder / "data.json").read_bytes()
    draw_again(tmp_path, ["tasks"])
    assert (folder / "data.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"domains": ["pets"], "generator": "avatars"}, "a generator, or domains"),
        ({"domains": ["pets", "ships"]}, "no domain 'ships'"),
    ],
)
def test_domains_are_known_and_no_generator_beside(tmp_path: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        run_experiment("tasks", tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


def test_interrupted_it_ends_with_the_same_data(out: Path, models: dict[str, Any], tmp_path: Path) -> None:
    run_experiment("traversal", out, **models)
    steps = iter(range(10))

    def once(*arguments: Any, **options: Any) -> Progress[Any]:
        bar = silent(*arguments, **options)
        if "Traversing" not in arguments[1]:
            return bar

        def update(count: int = 1, *, note: str = "") -> None:
            if next(steps) == 0:
                raise KeyboardInterrupt

        bar.update = update  # type: ignore[method-assign]
        return bar

    with pytest.raises(KeyboardInterrupt):
        run_experiment("traversal", tmp_path, progress=once, **models)
    parts = list((tmp_path / SUBJECT / "traversal" / "parts").iterdir())
    assert len(parts) == 1
    written = parts[0].stat().st_mtime_ns
    run_experiment("traversal", tmp_path, **models)
    assert parts[0].stat().st_mtime_ns == written
    whole, resumed = (
        json.loads((place / SUBJECT / "traversal" / "data.json").read_text()) for place in (out, tmp_path)
    )
    assert whole == resumed


ALL = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
from conftest import own_models, shorten
from zoom_engine.experiments.run import run_experiment
shorten(pytest.MonkeyPatch())
run_experiment("all", sys.argv[2], **own_models())
"""


def test_what_a_folder_was_begun_with_holds_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Authorization": "Bearer secret", "Accept": "$KIND"}
    options = {"service": {"headers": headers, "timeout": 5}}
    study = Study("avatars", tmp_path, targets=["http://me:secret@host"], target_options=options)
    monkeypatch.setattr(Study, "_hashes", [])
    told = json.dumps(study.identity())
    assert "secret" not in told
    assert study.title(study.given[0]) == "http://host"
    assert all(text in told for text in ("$HEADER_AUTHORIZATION", "$KIND", "'timeout': 5"))
    assert study.settings.target_options["service"]["headers"] == headers


def test_options_that_have_no_use_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    options: dict[str, Any] = {"attributes": ["x=scorer:avatars:mustache"], "notify": told.append}
    with pytest.raises(UnsuitedError):
        run_experiment("traversal", tmp_path, generator="avatars", targets=["avatars:mustache"], **options)
    monkeypatch.setattr("zoom_engine.experiments.study.Editing", SimpleNamespace(of=lambda *_, **__: None))
    assert Study("avatars", tmp_path, batch_size=8, **options).editing is None
    assert ["asks no target" in told[0], "--batch-size" in told[1], len(told)] == [True, True, 2]
    words = ["experiment", "user-study", "--score", "a.json", "--out", str(tmp_path), "--domain", "pets"]
    assert main(words) == 1
    assert "--score counts answers" in capsys.readouterr().err
    assert main(["experiment", "threshold", "--draw-only", "--images", "3", "--out", str(tmp_path)]) == 1
    assert "give it --out and --docs alone" in capsys.readouterr().err
    line = ["experiment", "traversal", "--generator", "avatars", "--label", "a hat", "--out", str(tmp_path)]
    assert main(line) == 1
    assert "traversal asks no target" in capsys.readouterr().err


@pytest.mark.slow(120)
@pytest.mark.ci
def test_all_of_them_killed_at_two_random_moments_end_with_the_same_data(
    out: Path, models: dict[str, Any], tmp_path: Path
) -> None:
    run_experiment("all", out, **models)
    again = tmp_path / "again"
    command = [sys.executable, "-c", ALL, str(Path(__file__).parent), str(again)]
    whole, environment = files(out), {**os.environ, "OMP_NUM_THREADS": "1"}  # as here
    for share in sorted(np.random.default_rng().uniform(0.05, 0.95, 2)):
        process = subprocess.Popen(command, cwd=tmp_path, env=environment)
        while files(again) < share * whole:
            assert process.poll() is None, f"it ended before {share:.2f} of its files were there"
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    undisturbed, resumed = (
        {path.parent.name: path for path in (place / SUBJECT).glob("*/data.json")} for place in (out, again)
    )
    assert set(undisturbed) == set(resumed) == set(EXPERIMENTS) - {"truth"}
    for name in undisturbed:
        assert timeless(undisturbed[name]) == timeless(resumed[name]), name


def files(place: Path) -> int:
    return sum(1 for _ in place.rglob("*"))


def timeless(path: Path) -> Any:
    """The data of an experiment without how long it took, and where."""
    document = json.loads(path.read_text())
    del document["made_on"]
    for result in document["data"].get("results", ()):
        del result["seconds"]
    return document


def test_a_folder_takes_no_other_settings(out: Path, models: dict[str, Any]) -> None:
    run_experiment("traversal", out, **models)
    with pytest.raises(ConfigError, match="another 'images'"):
        run_experiment("traversal", out, **{**models, "images": 3})


def test_other_loss_weights_and_other_texts_of_a_preset_are_other_settings(tmp_path: Path) -> None:
    """They were told by their kind and by the name of their file: a finished experiment was drawn for others too."""
    preset = tmp_path / "faces.toml"

    def identity(attribute: str = "a smiling face", **options: Any) -> dict[str, Any]:
        preset.write_text(f'title = "faces"\nneutral = "a face"\nattributes = ["{attribute}"]\n')
        return Study("avatars", tmp_path, **options).identity()

    for same, other in (
        ({"loss_weights": LossWeights(target=5)}, {"loss_weights": LossWeights(target=1)}),
        ({"preset": preset}, {"preset": preset, "attribute": "a face with a hat"}),
    ):
        assert identity(**same) == identity(**same) != identity(**other)


def test_targets_are_known_by_what_they_are(tmp_path: Path, models: dict[str, Any]) -> None:
    """A model that was trained on had its name, so a finished experiment of the old one was drawn as the new one's."""
    for _ in range(2):
        Folder(tmp_path).begin(Study(out=tmp_path, **models).identity())
    with torch.no_grad():
        models["targets"][0].network.read.bias.add_(1.0)
    binary = models["targets"][0]
    trained = Target(binary.network, name="blue", task=binary.task, preprocessing=binary.preprocessing)
    with pytest.raises(ConfigError, match="another 'hashes'"):
        Folder(tmp_path).begin(Study(out=tmp_path, **{**models, "targets": [trained, models["targets"][1]]}).identity())
    with pytest.raises(ConfigError, match="two targets are called 'blue'"):
        Study(out=tmp_path, **{**models, "targets": [binary, trained]})


@pytest.mark.parametrize("which", ["generator", "text_encoder"])
def test_a_generator_and_a_text_encoder_are_known_by_what_they_are(
    which: str, tmp_path: Path, models: dict[str, Any]
) -> None:
    Folder(tmp_path).begin(Study(out=tmp_path, **models).identity())
    Folder(tmp_path).begin(Study(out=tmp_path, **models).identity())
    other = type(models[which])()
    if which == "generator":
        other.scale.data.mul_(2)
    else:
        other.content_hash = "another reader"
    with pytest.raises(ConfigError, match="another 'hashes'"):
        Folder(tmp_path).begin(Study(out=tmp_path, **{**models, which: other}).identity())


def write_directions(path: Path, rows: torch.Tensor, names: Sequence[str]) -> Path:
    """Write edit directions as anybody can."""
    save_file({"directions": rows}, path, metadata={"names": json.dumps(list(names))})
    return path


def write_example(folder: Path, value: int) -> Path:
    """Write a folder with one picture."""
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.full((24, 24, 3), value, np.uint8)).save(folder / "one.png")
    return folder


def test_files_that_say_what_edits_are_are_known_by_what_they_hold(tmp_path: Path, models: dict[str, Any]) -> None:
    """They had their names alone: an experiment along other directions was the finished one of the old file."""
    glow = f"glow=examples:{write_example(tmp_path / 'glow', 200)}"
    names = ["a red sky", "glow"]
    file = write_directions(tmp_path / "directions.safetensors", torch.eye(6)[:2], names)
    models |= {"directions": file, "attributes": [names[0], glow]}
    changes = (
        partial(write_directions, file, -torch.eye(6)[:2], names),
        partial(write_example, tmp_path / "glow", 100),
    )
    for number, change in enumerate(changes):
        folder = Folder(tmp_path / str(number))
        for _ in range(2):
            folder.begin(Study(out=tmp_path, **models).identity())
        change()
        with pytest.raises(ConfigError, match="another 'hashes'"):
            folder.begin(Study(out=tmp_path, **models).identity())


def test_an_example_that_moves_to_the_other_side_is_seen(tmp_path: Path) -> None:
    having, without = tmp_path / "having", tmp_path / "without"
    for side, values in ((having, "ab"), (without, "c")):
        side.mkdir()
        for value in values:
            (side / f"{value}.png").write_text(value)

    def hashes() -> list[str]:
        glow = f"glow=examples:{having},without:{without}"
        return [*Study("avatars", tmp_path, attributes=[glow]).identity()["hashes"]]

    before = hashes()
    (having / "b.png").rename(having / "0.png")
    assert hashes() == before, "names say nothing"
    (having / "0.png").rename(without / "b.png")
    assert hashes() != before


def test_what_says_in_memory_what_edits_are_is_known_by_what_it_holds(tmp_path: Path, models: dict[str, Any]) -> None:
    """Other pictures, scorers and directions had the same names: the finished experiment of the old ones was drawn."""

    def glow(value: int) -> Attribute:
        return Attribute.by_examples("glow", [np.full((24, 24, 3), value, np.uint8)])

    def scored(value: float) -> Attribute:
        scorer = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 24, 1))
        torch.nn.init.constant_(scorer[1].weight, value)
        torch.nn.init.zeros_(scorer[1].bias)
        return Attribute.by_scorer("glow", Target(scorer, name="glow", task=RegressionTask(range=(0.0, 1.0))))

    def ready(scale: float) -> EditDirections:
        directions = study.diagnoser(models["targets"][0]).edit_directions()
        return dataclasses.replace(directions, matrix=scale * directions.matrix)

    study = Study(out=tmp_path, **models)
    pairs: list[tuple[str, Any, Any, Any]] = [
        *(("attributes", *([make(value)] for value in (1, 1, 2))) for make in (glow, scored)),
        ("directions", ready(1.0), ready(1.0), ready(2.0)),
    ]
    for number, (option, *given) in enumerate(pairs):
        folder = Folder(tmp_path / str(number))
        for value in given[:2]:
            folder.begin(Study(out=tmp_path, **{**models, option: value}).identity())
        with pytest.raises(ConfigError, match="another 'hashes'"):
            folder.begin(Study(out=tmp_path, **{**models, option: given[2]}).identity())


@pytest.mark.parametrize("name", ["traversal", "combination", "threshold", "wording"])
def test_edit_directions_that_no_words_give_are_refused_where_words_are_asked(
    name: str, tmp_path: Path, models: dict[str, Any]
) -> None:
    """Their paraphrases were one audit four times, so that wording hardly mattered; the others knew no such method."""
    file = write_directions(tmp_path / "directions.safetensors", torch.eye(6)[:2], models["attributes"][:2])
    glow = Attribute.by_examples("glow", write_example(tmp_path / "glow", 200))
    others: list[dict[str, Any]] = [{"directions": file}, {"attributes": [*models["attributes"], glow]}]
    for number, options in enumerate(others):
        with pytest.raises(UnsuitedError, match="edit directions from words"):
            run_experiment(name, tmp_path / str(number), **{**models, **options})


def test_directions_by_the_generator_have_no_threshold_to_show(tmp_path: Path, models: dict[str, Any]) -> None:
    """They were measured at λ = 0 and refused at the next one, by which "all" ended too."""
    generator: Any = load_generator(models["generator"])
    generator.text_directions = lambda attributes, neutral: torch.eye(6)[: len(attributes)]
    with pytest.raises(UnsuitedError, match="have no threshold: give --directions regression"):
        run_experiment("threshold", tmp_path, **{**models, "generator": generator})


def test_what_is_missing_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="name a generator too"):
        run_experiment("traversal", tmp_path, attributes=["a smiling face"])
    with pytest.raises(ConfigError, match="choose from traversal"):
        find_experiment("none")
    with pytest.raises(ConfigError, match="no finished experiment"):
        draw_again(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["experiment", "traversal", "--out", str(tmp_path / "a")]) == 1
    assert "zoom-engine[plots]" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_documentation_is_of_what_the_folder_holds(out: Path, models: dict[str, Any], tmp_path: Path) -> None:
    run_experiment("combination", out, **models)
    with pytest.raises(ConfigError, match="no finished experiment"):
        write_docs(tmp_path, tmp_path, command="")
    page = write_docs(out, tmp_path, command="zoom-engine experiment all --docs docs").read_text(encoding="utf-8")
    assert "zoom-engine experiment all --docs docs" in page
    assert f"## combination, {SUBJECT}" in page
    assert f"- `combination`, {SUBJECT}: The paper" in page
    pictures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert pictures
    assert all((tmp_path / file).is_file() for file in pictures)
    assert str(out) not in page
    shutil.copytree(out / SUBJECT / "combination", tmp_path / "half" / "a" / "combination")
    (tmp_path / "half" / "a" / "combination" / "text.txt").unlink()  # as a run leaves it that was killed while it drew
    with pytest.raises(ConfigError, match="no finished experiment"):
        write_docs(tmp_path / "half", tmp_path, command="")


def test_what_experiments_were_made_with_is_told_of_each() -> None:
    """A figure of several generators had the settings of the last one, and documentation a command without options."""
    options = {"attributes": "['a red sky']", "text_encoder": "reader"}
    cats = {"generator": "cats", "targets": ["one.pt"], "images": 4, "seed": 3, "options": options}
    both = _shared([cats, {**cats, "generator": "dogs", "seed": 5, "images": None}])
    assert both == {"generator": None, "targets": ["one.pt"], "seed": "3, 5", "options": options}
    assert _shared([cats, cats])["seed"] == 3
    assert _made_by("tasks", both) == "of what the experiment drew of each generator"
    command = "by `zoom-engine experiment tasks --generator cats --images 4 --seed 3 --target one.pt`"
    assert _made_by("tasks", cats) == f"{command}, with the attributes and text encoder that its data.json says"
    assert _made_by("tasks", {**cats, "options": {}}) == command


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.part("one", lambda: {"a": (1, 2)}) == {"a": [1, 2]}
    assert folder.part("one", lambda: pytest.fail("it is there")) == {"a": [1, 2]}
    next(iter((tmp_path / "parts").iterdir())).write_text("{")
    with pytest.raises(ConfigError, match="delete it"):
        folder.part("one", dict)
    for file in (DATA, TEXT):  # of another experiment, which the report of all of them had read with a traceback
        Folder(tmp_path / "cars" / "tasks").write(file, "{")
    with pytest.raises(ConfigError, match="delete it"):
        write_page(tmp_path)


def test_truth_is_for_domains_that_know_it(tmp_path: Path, models: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is not known"):
        run_experiment("truth", tmp_path, **models)


def test_a_target_that_cannot_be_trained_is_refused_before_it_is_audited(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    save_onnx(models["targets"][0], tmp_path / "blue.onnx")
    with pytest.raises(ConfigError, match="has weights to train"):
        run_experiment("training", tmp_path / "out", **{**models, "targets": [tmp_path / "blue.onnx"]})
    without = models["targets"][0].replaced(labels=())
    with pytest.raises(UnsuitedError, match="has no label prompts"):  # by which "all" does not end
        run_experiment("training", tmp_path / "other", **{**models, "targets": [without]})
    assert not list(tmp_path.glob("*/*/audits"))


def test_a_program_is_trained_as_the_module_that_it_was_made_of(models: dict[str, Any]) -> None:
    target: Target = models["targets"][0]
    pictures = torch.randint(0, 256, (4, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    taught = Lessons(pictures, torch.tensor([0, 1, 0, 1]), 0.9)
    with quiet():
        program = torch.jit.trace(target.network, torch.rand(2, 3, 24, 24))  # type: ignore[no-untyped-call]
    module, traced = (
        fine_tuned(one, taught, steps=2, name="trained") for one in (target, target.replaced(network=program))
    )
    images = torch.rand(3, 3, 24, 24)
    torch.testing.assert_close(traced(images), module(images))
    assert not torch.equal(module(images), target(images))


def test_targets_that_can_be_trained_are_chosen_wherever_they_stand(
    tmp_path: Path, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first three one that cannot took the place of the fourth, and one without labels ended all of it."""
    monkeypatch.setattr("zoom_engine.experiments.training.repair", lambda study, folder, spec: study.title(spec))
    binary = models["targets"][0]
    files = [tmp_path / f"{number}.onnx" for number in range(3)]
    for file in files:
        save_onnx(binary, file)
    study = Study(
        out=tmp_path,
        **{
            **models,
            "targets": [
                *files,
                binary.replaced(labels=()),
                Target(
                    binary.network,
                    name="last",
                    task=binary.task,
                    preprocessing=binary.preprocessing,
                    labels=binary.labels,
                ),
            ],
        },
    )
    assert find_experiment("training").run(study, Folder(tmp_path))["targets"] == ["last"]


def test_a_target_is_repaired_along_what_it_is_sensitive_to(
    tmp_path: Path, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an attribute by pictures the name was read as words, and counterfactuals were those of these."""
    target, asked, seeds = models["targets"][0], list[Any](), list[Any]()
    glow = f"glow=examples:{write_example(tmp_path / 'glow', 200)}"

    def audit(self: Study, spec: object, **more: Any) -> Any:
        asked.append(more.get("attributes"))
        seeds.append(more.get("seed"))
        if len(asked) == 2:
            raise InterruptedError
        sensitive = [SimpleNamespace(is_specific=True, attribute=Attribute.parse(text)) for text in ("glow", "red")]
        return SimpleNamespace(sensitivity=sensitive)

    monkeypatch.setattr(Study, "audit", audit)
    monkeypatch.setattr(Study, "diagnoser", lambda self, target, **more: None)
    study = Study(out=tmp_path, **{**models, "targets": [target], "attributes": ["red", glow], "seed": 42_948})
    with pytest.raises(InterruptedError):
        repair(study, Folder(tmp_path), target)
    assert asked == [None, [glow, "red"]]
    assert seeds == [None, 0], "there is none after the last, so that it ended after the first audit"


def test_a_repaired_target_is_audited_where_options_said_how_its_file_is_read(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    """Once it was trained they were refused: it is complete."""
    target = models["targets"][0]
    options = {"classes": list(target.labels), "preprocessing": target.preprocessing, "trust": True}
    models |= {"targets": [target.network], "target_options": options, "labels": target.labels}
    study = Study(out=tmp_path, **models)
    taught = Lessons(torch.zeros(4, 3, 24, 24, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), 0.9)
    trained = fine_tuned(study.target(target.network), taught, steps=1, name="trained")
    assert study.diagnoser(trained).models.target.name == "trained"


@pytest.mark.parametrize("name", ["traversal", "threshold", "combination"])
def test_edits_without_an_audit_are_drawn_and_read_on_the_device_that_was_asked_for(
    name: str, tmp_path: Path, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were drawn on the CPU whatever --device said.

    "meta" stands for a GPU: torch refuses to mix its tensors with those of the CPU, as it does with a GPU's. They have
    no values, so those that come back are made up, and edit directions and ranges are the CPU's.
    """
    on_cpu = Study(out=tmp_path / "cpu", **models).editing
    directions = {threshold: on_cpu.find(threshold=threshold) for threshold in (0.1, *THRESHOLDS)}
    monkeypatch.setattr(Editing, "find", lambda self, threshold=0.1: directions[threshold])
    monkeypatch.setattr(Editing, "calibrated", on_cpu.calibrated)
    monkeypatch.setattr("zoom_engine.commands.editing.find_device", torch.device)
    monkeypatch.setattr(Target, "check", lambda *_, **__: None)
    brought_back, cpu, random = [], Tensor.cpu, torch.Generator().manual_seed(0)

    def made_up(tensor: Tensor) -> Tensor:
        if tensor.device.type != "meta":
            return cpu(tensor)
        brought_back.append(tensor.shape)
        return torch.rand(tensor.shape, generator=random).to(tensor.dtype)

    def render(synthesizer: Synthesizer, *tensors: Tensor) -> Tensor:
        assert [tensor.device.type for tensor in tensors] == ["meta"] * 3
        return drawn(synthesizer, *tensors)

    drawn = Synthesizer.render
    monkeypatch.setattr(Synthesizer, "render", render)
    monkeypatch.setattr(Tensor, "cpu", made_up)
    study = Study(out=tmp_path, **models, device="meta")
    assert study.editing.generator.device.type == "meta"
    assert study.editing.text_encoder.middle.device.type == "meta"  # type: ignore[union-attr]
    data = find_experiment(name).run(study, Folder(tmp_path / name))
    assert data["images"] == 6
    at_once = {"traversal": 5, "threshold": 6, "combination": 25}[name]
    assert (at_once, models["text_encoder"].dim) in brought_back, "embeddings of edited images"


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
@pytest.mark.parametrize("name", ["traversal", "threshold"])
def test_a_device_that_is_not_there_is_refused_by_experiments_that_ask_no_target(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["experiment", name, "--domain", "avatars", "--images", "1", "--out", str(tmp_path), "--device", "cuda"]
    assert main(line) == 1
    assert "device 'cuda' is not available here; use cpu" in capsys.readouterr().err


def test_a_target_is_trained_and_asked_where_it_is_though_pictures_are_elsewhere(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    """On a GPU the pictures were there, and the target was not: `repair` and `wording` failed."""
    target, elsewhere = models["targets"][0], torch.device("meta")
    taught = Lessons(torch.zeros(4, 3, 24, 24, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), 0.9)
    trained = fine_tuned(
        target.replaced(network=copy.deepcopy(target.network).to(elsewhere)), taught, steps=1, name="b"
    )
    assert all(parameter.device == elsewhere for parameter in trained.parameters())
    tried = []

    class Tried(Target):
        def check(self, resolution: int, *, gradients: bool = True) -> None:
            tried.append((resolution, next(self.parameters()).device))

    study = Study(out=tmp_path, **{**models, "targets": [target]})
    asked = Tried(target.network, name="there", task=target.task)
    study.target(asked, generator=SimpleNamespace(resolution=24, device=elsewhere))  # type: ignore[arg-type]
    assert tried == [(24, elsewhere)]


@pytest.mark.parametrize("name", ["combination", "histograms"])
def test_a_model_that_takes_pictures_of_the_generator_s_size_alone_is_asked(
    name: str, tmp_path: Path, models: dict[str, Any]
) -> None:
    """It was tried on pictures of 128², which an audit never shows it."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 24, 1))
    options = {"target_options": {"task": "binary"}, "targets": [network]}
    assert run_experiment(name, tmp_path, **{**models, **options}).is_file()
    network[1].bias.data.fill_(torch.nan)
    with pytest.raises(TargetError, match="NaN or infinite"):
        run_experiment(name, tmp_path / "other", **{**models, **options})


def test_a_network_with_a_layer_by_two_names_is_repaired_and_stored(tmp_path: Path, models: dict[str, Any]) -> None:
    """The file of weights refused tensors that share memory, after all audits."""
    target = models["targets"][0]
    target.network.head = target.network.read
    run_experiment("training", tmp_path, **{**models, "targets": [target]})
    folder = tmp_path / SUBJECT / "training"
    assert len(list(folder.glob("*.safetensors"))) == 3
    for file in folder.glob("*.safetensors"):
        state = load_file(file)
        assert torch.equal(state["head.weight"], state["read.weight"])
        target.network.load_state_dict(state)


def test_repaired_weights_are_called_as_in_the_module_that_was_given(tmp_path: Path, models: dict[str, Any]) -> None:
    """Of one with several outputs, as those of Hugging Face are, each name began with that of a module around it."""
    target = models["targets"][0]
    read = type(target.network).forward
    members = {"forward": lambda self, x: {"logits": read(self, x), "features": x.mean((2, 3))}}
    target.network.__class__ = type("Several", (type(target.network),), members)
    told = {"output": "logits", "task": "binary", "classes": target.labels, "preprocessing": target.preprocessing}
    models |= {"targets": [target.network], "target_options": told, "labels": target.labels}
    run_experiment("training", tmp_path, **models)
    for file in (tmp_path / SUBJECT / "training").glob("*.safetensors"):
        target.network.load_state_dict(load_file(file))


def test_a_network_with_a_state_that_is_no_tensor_is_repaired_and_stored(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    """It has no place in the file of weights, which ended all of it."""
    target = models["targets"][0]
    members = {"get_extra_state": lambda self: {"trained": 3}, "set_extra_state": lambda self, state: None}
    target.network.__class__ = type("Noted", (type(target.network),), members)
    run_experiment("training", tmp_path, **{**models, "targets": [target]})
    (file, *_) = (tmp_path / SUBJECT / "training").glob("*.safetensors")
    assert load_file(file).keys() == dict(target.network.named_parameters()).keys()


def test_a_repair_tells_its_own_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder with another generator's, that one's was told too, as of this target."""

    def run(name: str, out: Path, **options: Any) -> Path:
        Folder(out / options["generator"] / name).write("text.txt", "of avatars")
        return out / "report.html"

    monkeypatch.setattr("zoom_engine.experiments.run.run_experiment", run)
    Folder(tmp_path / "cars" / "training").write("text.txt", "of cars")
    assert main(["repair", "--target", "avatars:mustache", "--images", "4", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["of avatars", f"Open {tmp_path / 'report.html'}"]


def test_pictures_without_a_target_are_drawn_as_it_was_asked(tmp_path: Path) -> None:
    study = Study("avatars", tmp_path, backend="torch", precision="fp32")
    assert study.editing.synthesizer.describe() == {"backend": "torch", "precision": "fp32"}


def test_directions_without_a_target_are_found_as_an_audit_finds_them(tmp_path: Path, models: dict[str, Any]) -> None:
    """`samples` and `keep` were for the audits alone, so that a traversal showed edits that no audit makes."""
    asked = {**models, "samples": 300, "keep": ["a blue sky"]}
    study, matrices = Study(out=tmp_path, **asked), []
    for options in (asked, models):
        diagnoser = Study(out=tmp_path, **options).diagnoser(models["targets"][0])
        matrices.append(diagnoser.edit_directions().matrix)
    assert torch.equal(study.editing.directions.matrix, matrices[0])
    assert not torch.equal(*matrices)


@pytest.mark.ci
def test_what_is_held_to_the_truth_is_what_an_audit_reports(tmp_path: Path) -> None:
    """It was the largest change on the way, where an audit reports that at the end of the range."""
    attributes = ["a face with long hair", "a face with a beard"]
    run_experiment(
        "truth", tmp_path, generator="avatars", images=2, targets=["avatars:mustache"], attributes=attributes
    )
    pairs = (Folder(tmp_path / "avatars" / "truth").finished() or {})["data"]["pairs"]
    (audit,) = (Diagnosis.load(path.parent) for path in (tmp_path / "avatars" / "audits").rglob("summary.json"))
    assert {pair["attribute"]: pair["reported"] for pair in pairs} == {
        row.attribute.text: pytest.approx(row.value) for row in audit.sensitivity
    }


def test_labels_that_are_given_hold_the_ground_truth_in_other_words_too(tmp_path: Path, models: dict[str, Any]) -> None:
    labels, (target, *_) = ("one red sky", "one blue sky"), models.pop("targets")
    found_by = [
        {"targets": [target.replaced(labels=labels)]},
        {"targets": [target.replaced(labels=())], "labels": labels},
    ]
    bars = []
    for number, options in enumerate(found_by):
        run_experiment("wording", tmp_path / str(number), **models, **options)
        data = json.loads((tmp_path / str(number) / SUBJECT / "wording" / "data.json").read_text())["data"]
        bars.append(data["targets"][0]["bars"])
    assert bars[0] == bars[1]


def test_where_nothing_truly_moves_a_target_there_is_no_precision() -> None:
    changes = np.random.default_rng(0).uniform(0, 0.1, (6, 4))
    figures = figures_of(changes, np.array([0.01, 0.02, 0.0, 0.03]), np.zeros(4, dtype=np.int64))
    assert [name for name, figure in figures.items() if figure is None] == ["precision_at_1", "precision_at_3"]
    data = {"images": 6, "renders": 10, "pairs": [], "figures": json.loads(json.dumps(figures, allow_nan=False))}
    assert "no precision, as no attribute truly moves" in find_experiment("truth").tell(data)


def test_bars_are_not_called_smaller_for_their_slope() -> None:
    """Bars above the truth were, where they differ less than it does; so was a single pair, by a slope of 0."""
    true, owners = np.array([0.1, 0.2, 0.3]), np.zeros(3, dtype=np.int64)
    changes = 0.3 + 0.5 * true + np.random.default_rng(0).uniform(-0.01, 0.01, (6, 3))
    for changed, says in ((changes, "Reported bars differ less than true effects do."), (changes[:, :1], "")):
        count = changed.shape[1]
        figures = json.loads(json.dumps(figures_of(changed, true[:count], owners[:count]), allow_nan=False))
        text = find_experiment("truth").tell({"images": 6, "renders": 10, "pairs": [{}] * count, "figures": figures})
        assert text.endswith(f"Intervals are over images, not over targets. {says}".strip())
        assert (figures["slope"] is None) == (figures["spearman"] is None) == (count == 1)


def test_one_image_does_not_tell_how_bars_differ() -> None:
    """It was said that they differ less, by an interval of no width."""
    true, owners = np.array([0.1, 0.2, 0.3]), np.zeros(3, dtype=np.int64)
    figures = figures_of(0.3 + 0.5 * true[None], true, owners)
    text = find_experiment("truth").tell({"images": 1, "renders": 10, "pairs": [{}] * 3, "figures": figures})
    assert text.endswith("Intervals are over images, not over targets.")


@pytest.mark.parametrize(
    ("images", "says"), [(5, "not known, it takes 6 images or more"), (6, "seen in 1 of 1 targets")]
)
def test_a_claim_of_searches_is_not_judged_by_few_images(images: int, says: str) -> None:
    """By one image that flips by both it was seen: an interval of no width does not hold 0."""

    def result_of(ssim: float) -> dict[str, Any]:
        return {"target": "own", "flipped": [1] * images, "ssim": [ssim + place / 100 for place in range(images)]}

    results = [{**result_of(ssim), "search": search} for search, ssim in (("sgd", 0.5), ("pgd", 0.6))]
    ordering = json.loads(json.dumps(_ordering(results, "own")))
    size = {"step_size": 0.1, "flipped": [1, 0.5, 1], "ssim": None, "on_grid": 1.0}
    data = {"images": images, "results": [], "orderings": [ordering], "sweep": {"target": "own", "sizes": [size]}}
    assert f"Finer pictures by PGD: {says}" in find_experiment("optimizer").tell(data)
    older = {name: value for name, value in ordering.items() if name != "compared"}
    assert "PGD: seen in 1 of 1" in find_experiment("optimizer").tell({**data, "orderings": [older]})


def test_where_nothing_moves_there_is_a_figure_too(tmp_path: Path) -> None:
    """Of a planted attribute that moves nothing a mark was to stand at 0 of 0."""
    pair = {"target": "own", "attribute": "a hat", "name": "hat", "planted": True, "truth": 0.0, "reported": 0.0}
    ((name, drawn),) = find_experiment("truth").draw({"pairs": [pair]}, Folder(tmp_path))
    assert (name, drawn.axes[0].get_xlim()) == ("scatter", (0.0, 1.0))
    bar = {"name": "hat", "sensitivity": [0.0, 0.0, 0.0], "verdict": "inconclusive", "truth": None}
    target = {"target": "own", "planted": None, "null": None, "attributes": [bar]}
    ((name, drawn),) = find_experiment("histograms").draw({"targets": [target]}, Folder(tmp_path))
    assert (name, drawn.axes[0].get_xlim()) == ("histograms", (0.0, 1.0)), "of one image no interval reaches further"


def test_reported_bars_are_held_to_the_truth() -> None:
    true, owners = np.array([0.4, 0.0, 0.02, 0.3, 0.01]), np.array([0, 0, 0, 1, 1])
    result = agreement(np.stack([true / 2, true[::-1]]), true, owners)
    assert result["spearman"][0] == result["pearson"][0] == pytest.approx(1)
    assert result["slope"].tolist() == pytest.approx([0.5, result["slope"][1]])
    assert result["precision_at_1"].tolist() == [1.0, 0.0]
    assert result["precision_at_3"].tolist() == [1.0, 1.0], "two of three or fewer are among the first three"
    assert result["spearman"][1] < 0


@pytest.mark.parametrize(
    ("success", "says"),
    [
        ((0.9, 0.5), "That holds"),
        ((0.1, 0.5), "That does not hold"),
        ((0.9, 0.9), "That cannot be told: success is the same"),
    ],
)
def test_a_claim_that_does_not_hold_is_said_not_to(success: tuple[float, float], says: str) -> None:
    """Where λ does nothing it was said not to hold that normalisation lessens what it does."""

    def step(threshold: float, normalised: float, other: float) -> dict[str, Any]:
        rest = {"others": [[0.1, 0, 1]], "ssim": [[0.9, 0, 1]], "pictures": []}
        made = {"normalised": normalised, "not normalised": other}
        kinds = {name: {**rest, "success": [[value, 0, 1]]} for name, value in made.items()}
        return {"threshold": threshold, "channels": [5], **kinds}

    steps = [step(0.0, 0.9, 0.9), step(0.9, *success)]
    data = {"images": 3, "attributes": ["smiling"], "weights": [7.0], "channels": 10, "thresholds": steps}
    assert says in find_experiment("threshold").tell(data)


def test_a_claim_is_not_judged_by_what_was_not_measured() -> None:
    values = {"success": [None], "others": [None], "ssim": [[0.9, 0, 1]], "pictures": []}
    kinds = {"normalised": values, "not normalised": values}
    steps = [{"threshold": threshold, "channels": [5], **kinds} for threshold in (0.0, 0.9)]
    data = {"images": 1, "attributes": ["smiling"], "weights": [7.0], "channels": 10, "thresholds": steps}
    assert "That does not hold" not in (text := find_experiment("threshold").tell(data))
    assert "not measured here" in text
    target = {"target": "old", "task": "binary", "images": 1, "first": [], "planted": "gray hair", "strips": []}
    text = find_experiment("tasks").tell({"targets": [{**target, "decisive_flip_rate": 0.0}]})
    assert text.endswith(
        "old (binary, 1 images): too few images to tell what moves it most; 0 % of the images flip decisively."
    )
    text = find_experiment("tasks").tell({"targets": [{**target, "decisive_flip_rate": 0.004}]})
    assert text.endswith("; 0.4 % of the images flip decisively."), "0 % where none does"


def test_where_nobody_tells_labels_no_flip_has_kept_its_own() -> None:
    """Flips of a target without labels were all said to keep them."""
    rates = {"images": 2, "search": "scan", "decisive": [0.5, 0.1, 0.9]}
    strip = {"decisive": True, "ssim": None}
    strips = [{**strip, "mode": mode, "label_kept": None} for mode in ("single", "multi")]
    target = {"target": "own", "corner": "p", "single": rates, "multi": rates, "strips": strips}
    text = find_experiment("progress").tell({"targets": [target]})
    assert "2 flip decisively" in text
    assert "with the label kept" not in text
    assert "decisive where the output moves by 0.1 or more" in text
    text = find_experiment("progress").tell({"targets": [{**target, "decisive_change": 0.3}]})
    assert "decisive where the output moves by 0.3 or more" in text, "as it was asked"
    told = {**target, "target": "two", "strips": [{**one, "label_kept": True} for one in strips]}
    text = find_experiment("progress").tell({"targets": [target, told]})
    assert "4 flip decisively, 2 of the 2 whose label is known with the label kept" in text
    text = find_experiment("progress").tell({"targets": [target, {**told, "multi": {**rates, "search": "cmaes"}}]})
    assert "all together (2 images, scan or cmaes): own 50 % [10, 90], two 50 % [10, 90]." in text


def test_paraphrases_of_one_attribute_are_drawn_though_they_rank_nothing(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    run_experiment("wording", tmp_path, **{**models, "attributes": models["attributes"][:1]})
    folder = tmp_path / SUBJECT / "wording"
    assert "Ranks cannot tell" in (text := (folder / "text.txt").read_text(encoding="utf-8"))
    assert "nan" not in text
    assert len((folder / "data.csv").read_text().splitlines()) == 1 + len(TEMPLATES)
    with pytest.raises(ConfigError, match="no label of the target"):
        run_experiment("wording", tmp_path / "labels", **{**models, "attributes": list(models["targets"][0].labels)})


def test_nothing_comes_first_where_nothing_moves() -> None:
    """The first attribute was said to come first by every paraphrase, of a target that none of them moves."""
    target = {"target": "own", "w": None, "first": [0, 0], "largest_difference": 0.0}
    data = {"images": 6, "wordings": TEMPLATES[:2], "least_cosine": {"red": 0.9}}
    for bar, told in ((0.0, "for 0 of 1 targets"), (0.2, "for 1 of 1 targets")):
        text = find_experiment("wording").tell({**data, "targets": [{**target, "largest_bar": bar}]})
        assert f"comes first by every paraphrase {told}" in text


def test_one_image_neither_ranks_paraphrases_nor_trains_who_stands_in_for_people(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    """Two attributes were asked for, which there were, and 0 % of both pictures were told apart, which nobody tried."""
    for name, told in (("wording", "it takes two images, and two"), ("user-study", "in – of 0 pictures, which so few")):
        run_experiment(name, tmp_path, **{**models, "images": 1})
        assert told in (tmp_path / SUBJECT / name / "text.txt").read_text(encoding="utf-8")


def test_nothing_is_said_of_a_truth_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of attributes that no render has it was said that none truly moves the target and that none is called wrongly,
    and of what was planted, which nobody asked about, that it does not come first."""
    hat, target = "a face with a hat", "avatars:mustache-biased-smiling"
    monkeypatch.setattr(Study, "audit", lambda *_, **__: simulated(images=60, attributes=(hat,), means=(0.3,)))
    monkeypatch.setattr("zoom_engine.experiments.tasks.strips_of", lambda *_: [])
    study = Study("avatars", tmp_path, targets=[target], attributes=[hat])
    assert study.true_effects([target]) == {"mustache-biased-smiling": {}}
    experiment = find_experiment("histograms")
    assert experiment.tell(experiment.run(study, Folder(tmp_path))).endswith(
        "What came out (60 images): sensitive are, of mustache-biased-smiling: a hat."
    )
    experiment = find_experiment("tasks")
    assert "weakness" not in experiment.tell(experiment.run(study, Folder(tmp_path)))


def test_a_biased_target_that_was_asked_about_something_else_is_not_called_sound() -> None:
    bar = {"name": "bangs", "verdict": "sensitive", "truth": 0.3}
    target = {
        "target": "biased-smiling",
        "planted": None,
        "truth_known": True,
        "smallest_effect": 0.05,
        "attributes": [bar],
    }
    for biased, told in ((True, False), (False, True)):
        text = find_experiment("histograms").tell({"images": 3, "targets": [{**target, "biased": biased}]})
        assert ("Targets without a planted attribute that some attribute truly moves: 1 of 1" in text) == told


def test_attributes_of_one_short_name_have_bars_of_their_own(tmp_path: Path) -> None:
    study = Study("avatars", tmp_path, attributes=["smiling", "a smiling face", "a face with glasses"])
    assert [study.short(text) for text in study.attributes or ()] == ["smiling", "a smiling face", "glasses"]
