"""What commands print and write besides their text: JSON, logs, silence, and a configuration file to begin with."""

from __future__ import annotations

import dataclasses
import fcntl
import io
import json
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from safetensors.numpy import save_file
from simulated import simulated

from zoom_engine.cli import main
from zoom_engine.cli.config import read_config
from zoom_engine.cli.init import EXAMPLE
from zoom_engine.cli.options import CommandSettings
from zoom_engine.cli.output import open_output, print_audits
from zoom_engine.common.errors import ConfigError
from zoom_engine.report.source import Source
from zoom_engine.settings.audit_settings import AuditSettings, LossWeights, RunSettings

DIAGNOSE = ["diagnose", "--generator", "avatars", "--target", "avatars:mustache"]


def test_init_writes_a_file_that_diagnose_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audit.toml"
    assert main(["init", "--out", str(path)]) == 0
    assert f"--config {path}" in capsys.readouterr().out
    assert read_config(path) == EXAMPLE
    assert main(["init", "--out", str(path)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_it_names_every_option_once_with_its_default(tmp_path: Path) -> None:
    main(["init", "--out", str(tmp_path / "audit.toml")])
    text = (tmp_path / "audit.toml").read_text()
    named = re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)
    fields = [
        field for settings in (AuditSettings, RunSettings, CommandSettings) for field in dataclasses.fields(settings)
    ]
    assert sorted(named) == sorted(field.name for field in fields)
    assert max(map(len, text.splitlines())) <= 110
    (tmp_path / "all.toml").write_text(re.sub(r"^# (\w+ = )(?!\.\.\.)", r"\1", text, flags=re.MULTILINE))
    read = read_config(tmp_path / "all.toml")
    read["loss_weights"] = LossWeights(**read["loss_weights"])  # a table, as in the file
    defaults = {field.name: field.default for field in fields if field.name not in EXAMPLE}
    for name, value in defaults.items():
        assert read.get(name) == (None if value is dataclasses.MISSING else value), name
    assert AuditSettings(**{name: read[name] for name in ("generator", "target", "attributes", "loss_weights")})


def test_results_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=3, path=tmp_path / "audit")
    assert main(["report", str(tmp_path / "audit"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["summary"] == json.loads((tmp_path / "audit" / "summary.json").read_text())
    assert result["missing"] == 0
    assert main(["words", "--json"]) == 0
    assert "smiling" in json.loads(capsys.readouterr().out)["words"]


@pytest.mark.parametrize(
    ("encoding", "json_too"),
    [("ascii", []), ("latin-1", []), ("cp1252", []), ("utf-8", []), ("ascii", ["--json"])],
    ids=["ascii", "latin-1", "cp1252", "utf-8", "JSON in ascii"],
)
def test_what_the_terminal_cannot_write_is_written_plainly_and_the_gate_s_code_stays(
    encoding: str, json_too: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = ("a face with “pale” skin|a pale face", "a smiling 😀 face", "a face with a beärd", "a face — Ω")
    simulated(images=100, attributes=attributes, path=tmp_path / "audit")
    audit = str(tmp_path / "audit")

    def printed(*arguments: str) -> tuple[int, str]:
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        code = main([*arguments, *json_too])
        assert out.errors == "strict", "as the caller had it"
        return code, out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]

    code, text = printed("gate", audit, "--max-sensitivity", "0.99")
    assert code == 0
    assert printed("gate", audit, "--max-sensitivity", "0.01")[0] == 1
    if json_too:
        told = [finding["attribute"] for finding in json.loads(text)["findings"]]
        assert any("“pale”" in name for name in told), "JSON has escapes for all"
    assert printed("report", audit)[0] == 0
    if encoding == "ascii" and not json_too:
        assert '"pale" skin' in text
        assert "be\\xe4rd" in text
        assert "----------" in text


def test_the_machine_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["domains"] == ["avatars, cars, people, pets, places"]


class Stand:
    """In place of the pipeline: some work, something to tell, an audit."""

    def __init__(self, settings: AuditSettings, *, progress: Any, notify: Any) -> None:
        self.progress, self.notify, self.fails = progress, notify, settings.truncation == 0.5

    def run(self, **run: Any) -> Any:
        for _ in self.progress(range(3), "Working", unit="thing"):
            pass
        with self.progress(2, "Counting") as bar:
            bar.update(2, note="two")
        self.notify("something was assumed")
        if self.fails:
            raise ConfigError("it cannot be")
        return simulated(images=3)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoom_engine.diagnose.diagnoser.Diagnoser", Stand)


@pytest.mark.usefixtures("stand")
def test_a_quiet_command_tells_nothing_but_its_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [*DIAGNOSE, "--out", str(tmp_path / "audit")]
    assert main([*command, "--quiet", "--json"]) == 0
    told = capfd.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["summary"]["images"] == 3
    assert main(command) == 0
    told = capfd.readouterr()
    assert "Working: 100% 3/3 things" in told.err
    assert "note: something was assumed" in told.err
    assert "a face with pale skin" in told.out


@pytest.mark.parametrize("log_file", [None, "audit.log"])
def test_what_packages_print_while_a_command_works_is_no_part_of_its_result(
    log_file: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray prints of a machine that is gone on standard output, where a program reads JSON."""
    with open_output(log_file=log_file and tmp_path / log_file):
        print("The node has been marked dead")
    print("{}")
    told = capsys.readouterr()
    assert told.out == "{}\n"
    assert "marked dead" in told.err


@pytest.mark.usefixtures("stand")
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_log_holds_it_all_with_the_time(quiet: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "audit.log"
    command = [*DIAGNOSE, "--out", str(tmp_path / "audit"), "--log-file", str(log), *quiet]
    assert main(command) == 0
    assert ("Working" in capfd.readouterr().err) == (not quiet)
    assert main([*command, "--truncation", "0.5"]) == 1
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d ", line) for line in lines)
    texts = [line.partition(" ")[2] for line in lines]
    assert sum(text.startswith("Working: 100% 3/3 things") for text in texts) == 2
    assert sum(text.startswith("Counting: 100% 2/2") and "two" in text for text in texts) == 2
    assert texts.count("note: something was assumed") == 2
    assert texts[-1] == "error: it cannot be"
    assert "zoom-engine: it cannot be" in capfd.readouterr().err


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DIAGNOSE, "--out", str(tmp_path / "audit"), "--log-file", str(tmp_path / "no" / "log")]) == 1
    assert re.fullmatch(r"zoom-engine: cannot write .*log: no such file or directory\n", capsys.readouterr().err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_disk_without_room_for_what_is_told_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_output(quiet=True, log_file="/dev/full") as output, pytest.raises(ConfigError, match="no space left"):
        output.notify("hello")
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert main(["init", "--out", str(tmp_path / "audit.toml")]) == 1
    told = capsys.readouterr().err
    assert told == "zoom-engine: no space left on device: make room, and run the same command again\n"


COLORS = re.compile(r"\x1b\[[\d;]*m")
HOSTILE = (("a face with a very long beard " * 9).strip(), "日本語の笑顔" * 9, "e\u0301" * 90, "a face 😀")
TARGET = "a\x1b[31m\x07\u202e\nmodel"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run a command in a pseudo-terminal, and return the lines that it prints there."""

    def run(*arguments: str, columns: int = 80, **environment: str) -> list[str]:
        for name, value in {"TERM": "xterm-256color", "NO_COLOR": "", **environment}.items():
            monkeypatch.setenv(name, value)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        printed = bytearray()

        def read() -> None:
            while chunk := _read(ours):
                printed.extend(chunk)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            main(arguments)
        reader.join()
        os.close(ours)
        return printed.decode().replace("\r\n", "\n").split("\n")

    return run


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux says once the other end is closed
        return b""


def commands(folder: Path) -> dict[str, list[str]]:
    simulated(images=24, attributes=HOSTILE, target=TARGET, path=folder / "a")
    simulated(images=24, attributes=HOSTILE, target=TARGET, planted={1: 0.2}, baseline=0.02, path=folder / "b")
    save_file({}, folder / "c.safetensors", metadata={"a": "b\x1b[2J" * 40})
    audits = [str(folder / name) for name in "ab"]
    return {
        "report": ["report", audits[1]],
        "compare": ["compare", *audits, audits[0], "--out", str(folder / "compare.html")],
        "gate": ["gate", audits[0], "--max-sensitivity", "0.1", "--max-growth", "0.01", "--baseline", audits[0]],
        "inspect": ["inspect", str(folder / "c.safetensors")],
        "info": ["info"],
        "presets": ["presets"],
    }


def test_all_that_is_printed_fits_80_columns_and_has_colours_in_a_terminal_alone(
    tmp_path: Path, terminal: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    monochrome = {"TERM": "dumb"}, {"NO_COLOR": "1"}
    for name, arguments in commands(tmp_path).items():
        colored = "\n".join(terminal(*arguments))
        plain = COLORS.sub("", colored)
        assert (plain != colored) == (name in ("report", "compare", "gate")), name
        assert all(line.isprintable() for line in plain.split("\n")), name
        words_that_stay_whole = [line for line in plain.split("\n") if str(tmp_path) in line or HOSTILE[1][:12] in line]
        for line in plain.split("\n"):
            assert cell_len(line) <= 80 or line in words_that_stay_whole or " " not in line.strip(), (name, line)
        capsys.readouterr()
        main(arguments)
        assert capsys.readouterr().out == plain, "a pipe has the same, and no colours"
        if name == "gate":
            for environment in monochrome:
                assert "\n".join(terminal(*arguments, **environment)) == plain


def test_a_wide_terminal_is_used_and_one_without_a_size_has_80_columns(
    tmp_path: Path, terminal: Callable[..., list[str]]
) -> None:
    simulated(images=20, path=tmp_path / "audit")
    command = ["report", str(tmp_path / "audit")]
    assert not any("SSIM" in line for line in terminal(*command))
    assert any("SSIM" in line for line in terminal(*command, columns=140))
    assert terminal(*command, columns=0) == terminal(*command)


def test_headline_and_next_step_come_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a long run these are what a person sees."""
    simulated(images=60, path=tmp_path / "audit")
    assert main(["report", str(tmp_path / "audit")]) == 0
    table, told, page = capsys.readouterr().out.rstrip("\n").split("\n\n")
    first = Source(tmp_path / "audit").first_screen
    assert first.headline not in " ".join(table.split())
    assert " ".join(told.split()) == f"{first.headline} {first.certainty} Next: {first.next}"
    assert page == f"Open {tmp_path / 'audit' / 'report.html'}"


def test_of_several_audits_each_says_what_it_found_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    diagnoses = {"sound": simulated(images=60, means=(0.001,) * 4), "biased": simulated(images=60, baseline=0.01)}
    monkeypatch.setattr("zoom_engine.commands.demo.run_demo", lambda *_, **__: diagnoses)
    assert main(["demo", "--out", str(tmp_path / "audit")]) == 0
    *tables, sound, biased, page = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert len(tables) == 2
    for name, told in {"sound": sound, "biased": biased}.items():
        first = Source(None, diagnoses[name]).first_screen
        assert " ".join(told.split()) == f"{name}: {first.headline} {first.certainty} Next: {first.next}"
    assert page == f"Open {tmp_path / 'audit' / 'index.html'}"


def test_tables_of_targets_of_one_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diagnosis = simulated(images=3, path=tmp_path / "audit")
    print_audits({"m.onnx": diagnosis}, page=tmp_path)
    assert not capsys.readouterr().out.startswith("m.onnx")
    print_audits({"m.onnx": diagnosis, "m.pt2": diagnosis}, page=tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("m.onnx", "m.pt2")] == ["m.onnx", "m.pt2"]
