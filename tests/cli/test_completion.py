"""Shell completion: the script that is installed, run by bash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from zoom_engine.cli import COMMANDS, main

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
complete_with=$(complete -p zoom-engine | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$complete_with" zoom-engine "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(build_script(tmp_path, "bash"))

    def complete(*words: str) -> set[str]:
        command = ["bash", "-c", ASK, "bash", str(script), "zoom-engine", *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.stderr == ""
        return set(done.stdout.split())

    assert complete("") == set(COMMANDS)
    assert complete("di") == {"diagnose", "discover"}
    assert complete("diagnose", "--input-r") == {"--input-range", "--input-resize", "--input-resize-size"}
    assert complete("diagnose", "--search", "") == {"scan", "minimal", "sgd", "pgd", "cmaes"}
    assert complete("diagnose", "--mode", "m") == {"multi"}
    assert complete("view", "--input-layout", "") == {"NCHW", "NHWC"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_one_too(shell: str, tmp_path: Path) -> None:
    script = build_script(tmp_path, shell)
    assert "diagnose" in script
    assert "decisive-change" in script


def build_script(home: Path, shell: str) -> str:
    """What `zoom-engine --install-completion` writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        assert main(["--install-completion", "--shell", shell, "--output", str(home / "script")]) == 0
    return (home / "script").read_text()
