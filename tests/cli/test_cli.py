"""The command line: thin, one line per error, non-zero exits."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.manifest import Manifest
from zoom_engine.cli import main
from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.directions import CalibratedRange
from zoom_engine.settings.audit_settings import AuditSettings, LossWeights, RunSettings, options_of
from zoom_engine.targets import BinaryTask, Preprocessing, Target, save_onnx

pytestmark = pytest.mark.slow

OTHER = Manifest.of({"images": 7, "seed": 0, "mode": "single", "attributes": ["a hat"]})
RUN = ["diagnose", "--generator", "avatars", "--target", "avatars:mustache", "--attribute", "a smiling face"]


def test_diagnose_from_a_config_file_where_the_command_line_wins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(
        'generator = "avatars"\ntarget = "avatars:mustache"\nattributes = ["a smiling face"]\nimages = 50\n'
        "random_directions = 0\n"
    )
    out = tmp_path / "audit"
    assert main(["diagnose", "--config", str(config), "--images", "2", "--out", str(out)]) == 0
    assert "a smiling face" in capsys.readouterr().out
    assert json.loads((out / "summary.json").read_text())["images"] == 2
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*RUN, "--out", "{}/a", "--images", "0"], "images must be"),
        (["diagnose", "--generator", "avatars", "--out", "{}/a"], "--target is missing"),
        (["diagnose", "--config", "{}/none.toml"], "cannot read"),
        (["report", "{}/none"], "does not exist"),
        ([*RUN, "--out", "{}/a", "--device", "toaster"], "unknown device"),
        ([*RUN, "--out", "{}/a", "--threads", "0"], "threads must be at least 1"),
        ([*RUN, "--out", "{}/a", "--template", "best"], "no set of templates"),
        ([*RUN, "--out", "{}/a", "--search", "cmaes"], "cmaes has no single mode"),
        ([*RUN[:3], "--target", "avatars:none", "--out", "{}/a"], "no target"),
        (["diagnose", "--generator", "{}/none.pkl", "--target", "avatars:mustache", "--out", "{}/a"], "no generator"),
    ],
)
def test_errors_are_one_line_and_exit_1(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.format(tmp_path) for part in arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("zoom-engine: ")
    assert says in error
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--input-size=big", "write pixels such as 224 or 192,256 (height, width), not 'big'"),
        ("--input-mean=0.5;0.5", "write numbers such as 0.5 or -1,1, not '0.5;0.5'"),
        ("--seeds=first", "write seeds such as 0-7 or 3,5,9, 2,000 of them at most, not 'first'"),
        ("--seeds=0-3000000000", "3,5,9, 2,000 of them at most, not '0-3000000000'"),
        ("--seeds=5-3", "of them at most, not '5-3'"),
    ],
)
def test_an_option_of_another_form_says_which_is_wanted(
    option: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", "--target", "avatars:mustache", "--out", "seen.png", option]) == 2
    assert f"{says} (see zoom-engine view --help)" in capsys.readouterr().err


@pytest.mark.ci
def test_threads_are_what_every_runtime_takes(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert (
            main([*RUN, "--images", "1", "--random-directions", "0", "--threads", "2", "--out", str(tmp_path / "a")])
            == 0
        )
    finally:
        torch.set_num_threads(before)
    environment = json.loads((tmp_path / "a" / "manifest.json").read_text())["environment"]
    assert environment["threads"] == 2
    assert environment["synthesis"].get("settings", {"threads": 2})["threads"] == 2


class GivenError(BaseException):
    """Stands for the audit: what the command line made of its options. No `Exception`: those the command line folds."""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AuditSettings]:
    """Run a command and get the settings that its `Diagnoser` was given."""

    def diagnoser(settings: AuditSettings, **_: Any) -> None:
        raise GivenError(settings)

    def run(*arguments: str) -> AuditSettings:
        monkeypatch.setattr("zoom_engine.diagnose.diagnoser.Diagnoser", diagnoser)
        with pytest.raises(GivenError) as caught:
            main(list(arguments))
        settings: AuditSettings = caught.value.args[0]
        return settings

    return run


def test_steps_join_the_other_search_options(tmp_path: Path, given: Callable[..., AuditSettings]) -> None:
    config = tmp_path / "audit.toml"
    config.write_text("[search_options]\nstep_size = 0.5\nsteps = 9\n")
    run = [*RUN, "--out", str(tmp_path / "a"), "--config", str(config)]
    assert given(*run).search_options == {"step_size": 0.5, "steps": 9}
    assert given(*run, "--steps", "3").search_options == {"step_size": 0.5, "steps": 3}
    config.write_text("steps = 4\n[search_options]\nstep_size = 0.5\n")
    assert given(*run).search_options == {"step_size": 0.5, "steps": 4}
    config.write_text("images = 4\n")
    assert given(*run).search_options is None
    assert given(*run, "--search-option", "step_size=0.25", "--search-option", "kind=fast").search_options == {
        "step_size": 0.25,
        "kind": "fast",
    }


def test_the_truncation_cutoff_is_an_option_of_command_line_and_file(
    tmp_path: Path, given: Callable[..., AuditSettings]
) -> None:
    run = [*RUN, "--out", str(tmp_path / "a"), "--truncation", "0.7"]
    assert given(*run, "--truncation-cutoff", "8").truncation_cutoff == 8
    (tmp_path / "audit.toml").write_text("truncation-cutoff = 6\n")
    assert given(*run, "--config", str(tmp_path / "audit.toml")).truncation_cutoff == 6
    assert given(*run).truncation_cutoff is None


def test_loss_weights_and_level_are_options_of_command_line_and_file(
    tmp_path: Path, given: Callable[..., AuditSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    run, config = [*RUN, "--out", str(tmp_path / "a")], tmp_path / "audit.toml"
    settings = given(*run, "--loss-weights", "50,0,2", "--level", "0.5")
    assert settings.loss_weights == LossWeights(target=50, structure=0, label=2)
    assert settings.level == 0.5
    config.write_text("level = 1\n[loss_weights]\nlabel = 0\n")
    settings = given(*run, "--config", str(config))
    assert settings.loss_weights == LossWeights(label=0)
    assert settings.level == 1
    for wrong, says in (("lable = 0", "'lable'; did you mean 'label'?"), ("label = -1", "at least 0")):
        config.write_text(f"[loss_weights]\n{wrong}\n")
        assert main([*run, "--config", str(config)]) == 1
        assert says in capsys.readouterr().err


def test_help_and_signature_name_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--help"]) == 0
    shown = capsys.readouterr().out
    for name, about in {**options_of(AuditSettings), **options_of(RunSettings)}.items():
        if name not in ("generator_options", "target_options"):
            assert f"--{(about.name or name).replace('_', '-')}" in shown
    assert list(inspect.signature(Diagnoser).parameters) == [
        "settings",
        *options_of(AuditSettings),
        *("progress", "notify", "like"),
    ]
    assert str(AuditSettings.__doc__).count(": ") > len(options_of(AuditSettings))


def test_what_options_alone_show_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    """In a process of its own, where nothing has imported torch: importing it and open_clip takes seconds."""
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    with AuditFolder.create(tmp_path / "other", OTHER):
        pass
    run, file = [*RUN, "--out", "a"], ["diagnose", "--generator", "file", "--target", "avatars:mustache", "--out", "a"]
    cases = [
        (file, "give at least one attribute"),
        (["diagnose", "--generator", "none.pkl", "--target", "avatars:mustache", "--out", "a"], "no generator"),
        ([*file, "--attribute", "a face"], "repeats the neutral prompt"),
        ([*run, "--attribute", "a smiling face", "--neutral", "a person"], "repeats 'a smiling face'"),
        ([*run, "--label", "a face with a mustache"], "at least two prompts"),
        ([*run, "--label", "a face", "--label", "a face"], "two prompts are the same"),
        ([*run, "--images", "0"], "images must be"),
        ([*run, "--seed=-1"], "seed must be"),
        ([*run, "--threshold", "1"], "threshold λ must be in"),
        ([*run, "--level", "0"], "level must be in (0, 1]"),
        ([*run, "--truncation", "nan"], "truncation must be a finite number"),
        ([*run, "--truncation-cutoff=-1"], "truncation cutoff"),
        ([*run, "--batch-size", "0"], "batch size"),
        ([*run, "--threads", "0"], "threads must be"),
        ([*RUN, "--out", "file"], "is a file"),
        ([*RUN, "--out", "file/a"], "is a file"),
        ([*RUN, "--out", "foreign"], "not an audit folder"),
        ([*RUN, "--out", "other", "--images", "3"], "images is 7 there, 3 in this run"),
        ([*RUN, "--out", "other", "--images", "7"], 'attributes[0] is "a hat" there'),
        ([*run, "--cache", "file"], "cache"),
    ]
    script = (
        "import json, sys\n"
        "from zoom_engine.cli import main\n"
        "for arguments in json.load(sys.stdin):\n"
        "    assert main(arguments) == 1, arguments\n"
        "    assert 'torch' not in sys.modules, arguments\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([arguments for arguments, _ in cases]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases)
    for (arguments, says), line in zip(cases, lines, strict=True):
        assert says in line, arguments
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "foreign", "other"]


def test_the_demo_refuses_its_folder_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoom_engine.commands.demo.Diagnosers", lambda **_: pytest.fail("a model was loaded"))
    (tmp_path / "file").write_text("")
    (tmp_path / "foreign" / "biased").mkdir(parents=True)
    (tmp_path / "foreign" / "biased" / "thesis.txt").write_text("mine")
    with AuditFolder.create(tmp_path / "other" / "biased", OTHER):
        pass

    def refused(out: str, *more: str) -> str:
        assert main(["demo", "--out", str(tmp_path / out), *more]) == 1
        return capsys.readouterr().err

    assert "is a file" in refused("file")
    assert "not an audit folder" in refused("foreign")
    assert "images is 7 there, 3 in this run" in refused("other", "--images", "3")
    assert "images must be" in refused("new", "--images", "0")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "not writable" in refused("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "foreign", "other"]


@pytest.mark.parametrize(
    "command", [[*RUN, "--out", "a"], ["demo", "--out", "a"], [*RUN, "--out", "a", "--threads", "1"]]
)
def test_a_sign_of_life_comes_before_the_first_import_that_takes_seconds(command: list[str], tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; from zoom_engine.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.stderr.lstrip().startswith("Starting:")
    assert "import of torch halted" in done.stderr


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('generator_class = "x"', "'generator_class' must be a whole number, got 'x'"),
        ("images = true", "'images' must be a whole number or 'auto', got True"),
        ('taget = "x"', "unknown option 'taget'; did you mean 'target'?"),
        ('mode = "sigle"', "option 'mode' must be 'single' or 'multi', got 'sigle'"),
        ('attributes = "a smiling face"', "'attributes' must be a list of texts"),
        ('truncation = "0.7"', "'truncation' must be a number"),
        ("target = 3", "'target' must be a text or a list of texts, got 3"),
        ("threads = 0", "threads must be at least 1"),
        ("images = [", "is not a TOML file"),
        ("images = " + "[" * 100_000, "is not a TOML file"),
    ],
)
def test_a_config_file_of_wrong_values_is_one_line(
    line: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.toml").write_text(line)
    assert main(["diagnose", "--config", str(tmp_path / "audit.toml")]) == 1
    message = capsys.readouterr().err
    assert wanted in message
    assert message.count("\n") == 1


def test_an_unknown_option_in_a_config_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.toml").write_text("imagse = 3\n")
    assert main(["diagnose", "--config", str(tmp_path / "audit.toml")]) == 1
    assert "imagse" in capsys.readouterr().err


def test_edit_writes_a_sheet_of_the_right_size(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    arguments = [
        "edit",
        "--attribute",
        "a face with a beard",
        "--weights",
        "-5,0,5",
        "--seeds",
        "0-1",
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (3 * 128, 16 + 2 * 128)


def test_edit_shows_by_default_the_range_that_an_audit_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = torch.tensor([[-4.0, 10.0], [-30.0, 8.0]])
    ranges = CalibratedRange(bounds, torch.zeros(2), torch.zeros(2, 2), torch.ones(2, 2, dtype=torch.bool), 30.0)
    monkeypatch.setattr("zoom_engine.commands.editing.calibrate_range", lambda *_, **__: ranges)
    out = tmp_path / "sheet.png"
    attributes = ["--attribute", "a face with a beard", "--attribute", "a smiling face"]
    assert main(["edit", *attributes, "--seeds", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "a face with a beard: (−30), −4, −2, 0, +5, +10, (+30); in brackets: outside" in printed
    assert "a smiling face: −30, −15, 0, +4, +8, (+30); in brackets: outside" in printed
    with Image.open(out) as sheet:
        assert sheet.size == (7 * 128, 2 * (16 + 128))
        assert sheet.getpixel((6 * 128 + 64, 16 + 128 + 16 + 64)) == (255, 255, 255)


def test_info_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "torch" in printed
    assert "avatars" in printed


@pytest.fixture
def small_onnx(tmp_path: Path) -> Path:
    """A classifier of 32×32 images."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 1))
    with torch.no_grad():
        network[-1].weight.mul_(40)  # type: ignore[operator, union-attr]
    target = Target(network, name="small", task=BinaryTask(), preprocessing=Preprocessing(size=32))
    save_onnx(target, tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def test_view_draws_what_the_target_sees(small_onnx: Path, tmp_path: Path) -> None:
    from PIL import Image

    out = tmp_path / "seen.png"
    arguments = ["view", "--target", str(small_onnx), "--input-mean", "0.5", "--seeds", "0-2", "--out", str(out)]
    assert main(arguments) == 0
    with Image.open(out) as seen:
        assert seen.size == (3 * 32, 32)


def test_a_function_by_name_is_a_target_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "service.py").write_text("def bright(pixels):\n    return pixels.mean((1, 2, 3)) / 255\n")
    arguments = ["view", "--target", f"python:{tmp_path / 'service.py'}:bright", "--seeds", "0-1"]
    assert main([*arguments, "--out", str(tmp_path / "seen.png")]) == 1
    assert "say so with trust=True (--trust)" in capsys.readouterr().err
    assert not (tmp_path / "seen.png").exists()
    assert main([*arguments, "--trust", "--out", str(tmp_path / "seen.png")]) == 0


def test_target_options_of_file_and_command_line_come_together(
    tmp_path: Path, given: Callable[..., AuditSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('[target_options]\nkind = "logits"\npreprocessing = { size = 8, layout = "NHWC" }\n')
    run = [*RUN, "--out", str(tmp_path / "a"), "--config", str(config)]
    options = ["--trust", "--class", "cat", "--class", "dog", "--input-size", "32,48", "--input-std", "0.2"]
    assert given(*run, *options).target_options == {
        "trust": True,
        "kind": "logits",
        "classes": ["cat", "dog"],
        "preprocessing": {"size": (32, 48), "layout": "NHWC", "std": [0.2]},
    }
    for table in ("preprocessing = 3", 'service = "json"', 'task_options = "unit"'):
        config.write_text(f"[target_options]\n{table}\n")
        assert main(run) == 1
        assert "must be tables" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "task"),
    [
        (["--task-option", "range=[0,80]"], {"task": "regression", "range": [0, 80], "threshold": 5}),
        (["--task", "regression"], {"task": "regression", "range": [0, 100], "threshold": 5}),
        (["--task", "keypoints"], "keypoints"),
        (["--task", "keypoints", "--task-option", "range=[1,2]"], {"task": "keypoints", "range": [1, 2]}),
    ],
)
@pytest.mark.parametrize(
    "stored",
    [
        'task = "regression"\ntask_options = { range = [0, 100], threshold = 5 }\n',
        'task = { task = "regression", range = [0, 100], threshold = 5 }\n',
    ],
)
def test_options_of_a_task_that_a_file_has_stay_beside_those_of_the_command_line(
    stored: str, options: list[str], task: object, tmp_path: Path, given: Callable[..., AuditSettings]
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(f"[target_options]\n{stored}")
    run = [*RUN, "--out", str(tmp_path / "a"), "--config", str(config)]
    assert given(*run, *options).target_options == {"task": task}


def test_steps_of_a_file_give_way_to_those_of_the_command_line(
    tmp_path: Path, given: Callable[..., AuditSettings]
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text('search = "pgd"\nsteps = 50\n')
    run = [*RUN, "--out", str(tmp_path / "a"), "--config", str(config)]
    assert given(*run).search_options == {"steps": 50}
    assert given(*run, "--search-option", "steps=10").search_options == {"steps": 10}
    assert given(*run, "--search-option", "step_size=0.5", "--steps", "3").search_options == {
        "steps": 3,
        "step_size": 0.5,
    }


def test_words_lists_what_the_text_encoder_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["words", "avatars"]) == 0
    words = capsys.readouterr().out.split()
    assert words == sorted(words)
    assert {"beard", "smile", "specs", "wearing"} <= set(words)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zoom_engine", "presets", "faces"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_says_what_the_same_command_would_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoom_engine.cli.build_app", interrupt)
    assert main(["discover"]) == 130
    assert capsys.readouterr().err.endswith("run the same command again to continue\n")


def test_words_says_where_a_text_encoder_does_not_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoom_engine.text.load_text_encoder", lambda _: SimpleNamespace(name="clip", words=None))
    assert main(["words", "clip"]) == 0
    assert "text encoder 'clip' does not say which words it was trained on" in capsys.readouterr().out


def test_a_misspelt_word_is_answered_with_the_one_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "diagnose",
        "--generator",
        "avatars",
        "--target",
        "avatars:mustache",
        "--attribute",
        "a face with a beerd",
    ]
    assert main([*command, "--out", str(tmp_path / "a")]) == 1
    message = capsys.readouterr().err
    assert "it was never trained on 'beerd' (did you mean 'beard'" in message
    assert "zoom-engine words avatars" in message
