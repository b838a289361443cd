"""Writes zoom_engine/diagnose/audit_options.pyi, by which type checkers know the keywords of `Diagnoser`, `Diagnosers`
and `Discoverer`: the fields of `AuditSettings`, which checkers do not read as keywords by themselves.

    python tests/options_stub.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from zoom_engine.settings.discovery_settings import OF_AUDITS

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "zoom_engine" / "settings" / "audit_settings.py"
STUB = ROOT / "zoom_engine" / "diagnose" / "audit_options.pyi"
MODELS = {
    "generator": "GeneratorSpec | None",
    "target": "TargetSpec",
    "text_encoder": "str | Path | TextEncoder | None",
    "editor": "str | Editor | None",
    "directions": "str | EditDirections | None",
}
"""The types of the fields that may be models, which lie above the settings: there they are Any."""
PAGE = '''"""The fields of `AuditSettings` as keywords, for type checkers. Written by tests/options_stub.py."""

{imports}
from zoom_engine.directions import EditDirections
from zoom_engine.edits.editor import Editor
from zoom_engine.generators.loading import Spec as GeneratorSpec
from zoom_engine.targets.loading import Spec as TargetSpec
from zoom_engine.text import TextEncoder

Targets = list[Any] | tuple[TargetSpec, ...] | Mapping[str, TargetSpec]

class _Target(TypedDict):
    target: TargetSpec

class _Models(_Target):
    generator: GeneratorSpec

class _Shared(TypedDict, total=False):
{shared}

class _OfAudits(_Shared, total=False):
{rest}

class AuditOptions(_Target, _OfAudits): ...

class AuditChanges(_OfAudits, total=False):
    target: TargetSpec

class SeveralTargets(_OfAudits):
    target: Targets

class SeveralChanges(_OfAudits, total=False):
    target: Targets

class DiscoveryOptions(_Models, _Shared): ...
'''


def stub(settings: str) -> str:
    """The stub for the source of the settings."""
    body = ast.parse(settings).body
    (kind,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == "AuditSettings")
    fields = [node for node in kind.body if isinstance(node, ast.AnnAssign)]
    types = {ast.unparse(node.target): ast.unparse(node.annotation) for node in fields} | MODELS
    used = {node.id for text in types.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    imported = {node.module: {alias.name for alias in node.names} for node in body if isinstance(node, ast.ImportFrom)}
    defined = {ast.unparse(node.targets[0]) for node in body if isinstance(node, ast.Assign)}
    defined |= {node.name for node in body if isinstance(node, ast.ClassDef)}
    known = {
        module: names & used for module, names in {**imported, "zoom_engine.settings.audit_settings": defined}.items()
    }
    known["typing"] |= {"TypedDict"}
    imports = (f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(known.items()) if names)

    def lines(names: Iterable[str]) -> str:
        return "\n".join(f"    {name}: {types[name]}" for name in names)

    return PAGE.format(
        imports="\n".join(imports),
        shared=lines(OF_AUDITS),
        rest=lines(name for name in types if name not in ("target", *OF_AUDITS)),
    )


if __name__ == "__main__":
    STUB.write_text(stub(SETTINGS.read_text(encoding="utf-8")), encoding="utf-8")
