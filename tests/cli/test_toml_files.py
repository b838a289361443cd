"""Configurations and rules come from others: what is hostile is one line, at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import simulated

from zoom_engine.cli import main
from zoom_engine.cli.config import read_config
from zoom_engine.common.errors import ConfigError

HOSTILE: dict[str, bytes] = {
    "deep lists": b"rule = " + b"[" * 100_000,
    "deep tables": b"a" + b".a" * 20_000 + b" = 1",
    "a number of many digits": b"images = " + b"1" * 10_000,
    "no UTF-8": b"\xff\xfe",
    "zeros": bytes(1000),
    "megabytes": b"# " + b"x" * (2 << 20),
    "a date that is none": b"images = 2026-02-31",
    "a text without end": b'target = "' + b"x" * 100_000,
    "a name that is a picture": b'"\\u001b[2J" = 1',
    "infinity": b"level = inf\nmax-sensitivity = inf",
    "a rule that is a number": b"rule = 7",
    "rules that are numbers": b"rule = [1, 2]",
    "a rule of infinity": b"[[rule]]\nmax-sensitivity = inf",
    "a rule of NaN": b"[[rule]]\nmax-sensitivity = nan",
}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toml") / "audit"
    simulated(images=3, path=folder)
    return folder


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("content", list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_hostile_toml_file_is_one_line(
    content: bytes, audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    _refused(file, audit, capsys)


@pytest.mark.parametrize("put", [pipe, device])
def test_what_has_no_end_is_not_waited_for(
    put: Callable[[Path], None], audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("")
    put(file)
    _refused(file, audit, capsys)


def _refused(file: Path, audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, code in ((["gate", str(audit), "--rules", str(file)], 2), (["diagnose", "--config", str(file)], 1)):
        before = time.monotonic()
        assert main(command) == code
        told = capsys.readouterr().err
        assert told.startswith("zoom-engine: ")
        assert told.count("\n") == 1
        assert "internal error" not in told
        assert "\x1b" not in told
        assert len(told) < 700
        assert time.monotonic() - before < 60


def test_an_option_has_the_names_of_the_command_line_too_and_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("most-images = 48\nsearch-option = { steps = 5 }\nlabel = []\n")
    assert read_config(file) == {"most_images": 48, "search_options": {"steps": 5}, "labels": []}
    file.write_text('task = "regression"\ntask-option = { range = [0, 9] }\ninput-size = 64\ncodes = "c.npy"\n')
    preprocessing = {"size": 64}
    of_target = {"task": "regression", "task_options": {"range": [0, 9]}, "preprocessing": preprocessing}
    assert read_config(file) == {"target_options": of_target, "generator_options": {"codes": "c.npy"}}
    file.write_text("input_size = 64\n[target_options.preprocessing]\nsize = 32\n")
    with pytest.raises(ConfigError, match="option 'size' is given twice"):
        read_config(file)
    file.write_text("trust = true\ntarget_options = 3\n")
    with pytest.raises(ConfigError, match="'target_options' must be a table"):
        read_config(file)
    file.write_text('attribute = ["a hat"]\nattributes = ["a beard"]\n')
    with pytest.raises(ConfigError, match="option 'attributes' is given twice"):
        read_config(file)
