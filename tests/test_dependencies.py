"""What the package and its tests import is what pyproject.toml declares."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = {"zoom_engine", *(path.stem for folder in ("tests", "bench", "docs") for path in (ROOT / folder).rglob("*.py"))}
OF_OPEN_CLIP = {"torchvision", "timm"}
"""What open_clip_torch itself needs; the package imports them for targets of these libraries alone, by name."""
OF_PYTEST = {"pytest"}
"""Of the plugin, which nothing but pytest imports."""
IMPORTING = ("import_module", "importorskip")
"""Functions that import."""


@functools.cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Those of a file that imports, protocols and sizes are read from."""
    source = path.read_text(encoding="utf-8")
    tree, kinds = ast.parse(source), (ast.Import, ast.ImportFrom, ast.Call, ast.ClassDef)
    nodes = ast.walk(tree) if any(name in source for name in IMPORTING) else statements(tree)
    return [node for node in nodes if isinstance(node, kinds)]


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Those inside a node, at whatever depth, without the expressions that they are made of, which are most nodes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield child
            yield from statements(child)


def imports(path: Path) -> Iterator[str]:
    """Top-level names that a file imports, through `import_module` too."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield (
                ".".join(node.module.split(".")[:2])
                if node.module.startswith("google.")
                else node.module.partition(".")[0]
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(IMPORTING):
            yield from (str(arg.value).partition(".")[0] for arg in node.args[:1] if isinstance(arg, ast.Constant))


def members_of(protocol: ast.ClassDef, others: dict[str, ast.ClassDef]) -> set[str]:
    """Public members of a protocol's class, and of those that it extends."""
    members = {node.name for node in protocol.body if isinstance(node, ast.FunctionDef)}
    members |= {ast.unparse(node.target) for node in protocol.body if isinstance(node, ast.AnnAssign)}
    bases = (ast.unparse(base).partition("[")[0] for base in protocol.bases)
    inherited = (members_of(others[base], others) for base in bases if base in others)
    return {name for name in members if not name.startswith("_")}.union(*inherited)


def classes() -> list[ast.ClassDef]:
    """Those of the package."""
    files = sorted((ROOT / "zoom_engine").rglob("*.py"))
    return [node for path in files for node in nodes_of(path) if isinstance(node, ast.ClassDef)]


def test_no_class_has_more_than_300_lines() -> None:
    sizes = {kind.name: (kind.end_lineno or 0) - kind.lineno + 1 for kind in classes()}
    assert sizes["Diagnoser"] <= 200
    assert not {name: size for name, size in sizes.items() if size > 300}


def test_no_protocol_has_more_than_twelve_members() -> None:
    protocols = {kind.name: kind for kind in classes() if any("Protocol" in ast.unparse(base) for base in kind.bases)}
    sizes = {name: len(members_of(protocol, protocols)) for name, protocol in protocols.items()}
    assert sizes["EditableGenerator"] > 10, "what it extends is counted"
    assert not {name: size for name, size in sizes.items() if size > 12}


def undeclared(folder: str, declared: set[str]) -> set[str]:
    """Names of distributions that the files in ``folder`` import and ``declared`` lacks."""
    named = {name for path in sorted((ROOT / folder).rglob("*.py")) for name in imports(path)}
    foreign = named - set(sys.stdlib_module_names) - OWN
    known = {"mlflow": ["mlflow-skinny"], "sklearn": ["scikit-learn"], "griffe": ["griffelib"]}  # if not installed
    distributions = {**known, **packages_distributions(), "google.protobuf": ["protobuf"]}
    makers = {name: [normal(maker) for maker in distributions.get(name, [name])] for name in foreign}
    return {name for name, candidates in makers.items() if not declared & set(candidates)}


def normal(requirement: str) -> str:
    """The name in a requirement, as package indices compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement.strip())[0]).lower()


@pytest.mark.ci
@pytest.mark.parametrize("folder", ["zoom_engine", "export", "bench", "lab", "tests"])
def test_every_import_is_declared(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    users = [extra for extra in extras if extra not in ("test", "dev")]
    wanted = users if folder in ("zoom_engine", "export") else [*users, "test"]
    declared = {normal(line) for line in (*project["dependencies"], *(line for e in wanted for line in extras[e]))}
    in_checkouts = set() if folder in ("zoom_engine", "export") else {"lab"}
    excused = set() if folder == "tests" else OF_OPEN_CLIP | OF_PYTEST
    assert undeclared(folder, declared) <= excused | in_checkouts
