"""zoom-engine: which attributes is a vision model sensitive to, with the counterfactual images that prove it.

Public names load on first use, so that `import zoom_engine` costs nothing. `__init__.pyi` has them for type checkers.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from zoom_engine.common.version import VERSION

# Torch, the native operators and OpenVINO have threads of their own and take turns. Those of torch's OpenMP spin on for
# a while once their work is done, on cores that the others want by then: a scan of the avatars takes a quarter longer.
# OpenMP reads this once, as it is loaded with torch; what the user says stands.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = VERSION

_HOMES = {
    "Attribute": "zoom_engine.settings.attributes",
    "AuditSettings": "zoom_engine.settings.audit_settings",
    "Diagnoser": "zoom_engine.diagnose.diagnoser",
    "Diagnosers": "zoom_engine.diagnose.diagnosers",
    "Diagnosis": "zoom_engine.statistics.diagnosis",
    "Discoverer": "zoom_engine.discovery.discoverer",
    "Discovery": "zoom_engine.discovery.findings",
    "EditDirections": "zoom_engine.directions",
    "ZoomError": "zoom_engine.common.errors",
    "check_domain": "zoom_engine.domains.contract",
    "check_editable_generator": "zoom_engine.generators",
    "check_editor": "zoom_engine.edits.contract",
    "check_search": "zoom_engine.search",
    "check_task": "zoom_engine.targets",
    "explore": "zoom_engine.commands.explore.widget",
    "find_directions": "zoom_engine.directions",
    "find_domain": "zoom_engine.diagnose.domain",
    "fitness": "zoom_engine.commands.fit.measuring",
    "load_generator": "zoom_engine.generators",
    "load_target": "zoom_engine.targets",
    "load_text_encoder": "zoom_engine.text",
}

_NOTEBOOK = "zoom_engine.report.notebook"

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    if name == "Diagnosis" and value.html_view is None:
        value.html_view = staticmethod(_html_view)
    globals()[name] = value
    return value


def _html_view(diagnosis: Any) -> str:
    """Show an audit in a notebook by its report's first screen, which is loaded then: figures alone need no torch."""
    html: str = importlib.import_module(_NOTEBOOK).html_view(diagnosis)
    return html


def __dir__() -> list[str]:
    """List the module's names, with the public ones that are not imported yet."""
    return sorted({*globals(), *_HOMES})
