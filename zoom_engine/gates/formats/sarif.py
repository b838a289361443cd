"""SARIF 2.1.0, as code scanning reads it: a result for each finding that does not pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from zoom_engine.common.version import VERSION
from zoom_engine.gates.judge import Verdict

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    "max-sensitivity": "The model may not react to an attribute by more than a limit.",
    "max-growth": "The model may not react to an attribute by more than a limit more than its baseline does.",
    "min-power": "The audit must be able to see an effect of a given size.",
}
_KINDS = {"fail": ("fail", "error"), "inconclusive": ("open", "none")}


def to_sarif(verdict: Verdict, *, at: str | Path) -> dict[str, Any]:
    """Return the log; its results are shown `at` a file of the repository: that of the rules, or the audit's."""
    used = sorted({finding.rule.identifier for finding in verdict.findings})
    path = Path(at)
    place = {"uri": path.resolve().as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")}
    results = []
    for finding in (*verdict.of("fail"), *verdict.of("inconclusive")):
        kind, level = _KINDS[finding.outcome]
        about = f"{finding.subject}: {finding.rule.text}"
        text = f"{about}: {finding.outcome} in {verdict.audit}, {finding.estimate}"
        results.append(
            {
                "ruleId": finding.rule.identifier,
                "ruleIndex": used.index(finding.rule.identifier),
                "kind": kind,
                "level": level,
                "message": {"text": _text(text)},
                "locations": [{"physicalLocation": {"artifactLocation": place, "region": {"startLine": 1}}}],
                "partialFingerprints": {"zoomEngineFinding/v1": about},
            }
        )
    rules = [
        {
            "id": name,
            "shortDescription": {"text": _RULES[name]},
            "fullDescription": {"text": _RULES[name]},
            "defaultConfiguration": {"level": "error"},
        }
        for name in used
    ]
    driver = {"name": "zoom-engine", "semanticVersion": VERSION, "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "utf16CodeUnits",
                "results": results,
                "properties": {
                    "outcome": verdict.outcome,
                    "notes": [*map(_text, verdict.notes)],
                    "about": verdict.about.to_json(),
                },
            }
        ],
    }


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half a character is no JSON
