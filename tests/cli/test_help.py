"""Help: short, the usual options first, plain text of at most 100 columns, and quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zoom_engine import __version__
from zoom_engine.cli import COMMANDS, main


def page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str) -> list[str]:
    """The lines of a help page on a terminal of 200 columns."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*command, "--help"]) == 0
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_every_page_is_plain_and_narrow(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = page(capsys, monkeypatch, *command)
    assert lines[0].startswith(f"Usage: {' '.join(('zoom-engine', *command))}")
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert not set("\x1b│╭╰─") & set(text)
    for noise in ("STR", "FLOAT", "PATH", "None", "False", "--no-", "--empty-"):
        assert noise not in text.replace("--no-open", ""), "which is a name that the option has, and no negation"


def test_diagnose_begins_with_the_usual_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = page(capsys, monkeypatch, "diagnose")
    assert len(lines) < 124
    groups = ["Options:", "How it is audited:", "How the target is read:", "What it runs on:"]
    assert [line for line in lines if line in groups] == groups
    usual = lines[lines.index(groups[0]) : lines.index(groups[1])]
    first = [line.split()[0] for line in usual if line.startswith("  --")]
    names = ["generator", "pairs", "editor", "target", "attribute", "images", "seed", "out", "config", "json"]
    assert first == [f"--{name}" for name in names]


def test_defaults_and_choices_are_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(" ".join(page(capsys, monkeypatch, "diagnose")).split())
    assert "--images N number of images, or auto: as many as each attribute needs [default: auto]" in text
    assert "all together [choices: single, multi] [default: single]" in text
    assert "[choices: scan" not in text, "its text names them"
    assert "--input-layout order of the axes [choices: NCHW, NHWC]" in text


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("command", ["", "diagnose"])
def test_help_imports_nothing_that_takes_seconds(command: str) -> None:
    script = (
        f"import sys; from zoom_engine.cli import main; main([*{command!r}.split(), '--help'])\n"
        "loaded = set(sys.modules)\n"
        "assert not {'torch', 'numpy', 'PIL', 'zoom_engine.audit', 'zoom_engine.statistics'} & loaded"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=True, capture_output=True, timeout=100)


def test_info_imports_no_library_that_reads_models_of_others() -> None:
    """They take longer than torch, and info loads no file."""
    script = (
        "import sys; from zoom_engine.cli import main; assert main(['info']) == 0\n"
        "assert not {'open_clip', 'torchvision', 'transformers', 'scipy', 'torch._dynamo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=True, capture_output=True, timeout=100)
