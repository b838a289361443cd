"""What a type checker says of the API: something of each misuse in `misuses.py`, nothing of the documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.ci]

ROOT = Path(__file__).parents[2]
MISUSES = Path(__file__).with_name("misuses.py")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python(?: title=\"[^\"]*\")?\n(.*?)```", re.S)
ERROR = re.compile(r"^(?P<file>.*\.py):(?P<line>\d+): error: (?P<text>.*)$", re.M)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """The errors by mypy --strict, by file and line: of the misuses, and of each block of Python in the pages. What
    `mypy` alone found of the package before lies in the checkout's cache."""
    folder = tmp_path_factory.mktemp("typing")
    for page in PAGES:
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            (folder / f"{page.stem}_{number}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, str(MISUSES), *map(str, sorted(folder.glob("*.py")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode in (0, 1), done.stderr
    by_file: dict[str, dict[int, str]] = defaultdict(dict)
    for error in ERROR.finditer(done.stdout):
        by_file[Path(error["file"]).name][int(error["line"])] = error["text"]
    return by_file


def test_each_misuse_of_the_api_is_an_error_and_nothing_else_is(checked: dict[str, dict[int, str]]) -> None:
    lines = MISUSES.read_text(encoding="utf-8").splitlines()
    wrong = [number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")]
    assert len(wrong) == 20
    assert sorted(checked[MISUSES.name]) == wrong


def test_the_examples_of_the_documentation_have_no_error(checked: dict[str, dict[int, str]]) -> None:
    assert {file: errors for file, errors in checked.items() if file != MISUSES.name} == {}
