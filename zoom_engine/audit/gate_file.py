"""gate.json: the conditions that a gate held an audit to, with their outcomes, and the records that they are of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from zoom_engine.audit.about import sha256_of
from zoom_engine.audit.folder import RECORDS
from zoom_engine.common.errors import AuditError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import JsonObject, read_as

GATE = "gate.json"
Outcome = Literal["pass", "fail", "inconclusive"]
WORST_FIRST: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """A rule for one attribute, and its outcome.

    Attributes:
        subject: the short name of the attribute, or "the audit".
        rule: in words.
        outcome: pass, fail or inconclusive.
        estimate: the figure with what is known of it, and where it is inconclusive, why.
    """

    subject: str
    rule: str
    outcome: Outcome
    estimate: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateResult:
    """The outcome of a gate.

    Attributes:
        conditions: in the order of the rules.
        baseline: the audit that rules of growth compare with, in words and without its folder; None without one.
        judged: when, ISO 8601 in UTC.
        records: SHA-256 of the records that were judged, hex.
        is_current: whether the audit's records are still these.
    """

    conditions: tuple[Condition, ...]
    baseline: str | None = None
    judged: str
    records: str
    is_current: bool = True

    @property
    def outcome(self) -> Outcome:
        """Return the worst outcome of a condition."""
        return worst(condition.outcome for condition in self.conditions)

    @property
    def in_words(self) -> str:
        """Say how many conditions have which outcome, such as "1 fail, 3 pass"."""
        return counted([condition.outcome for condition in self.conditions])

    def of(self, *outcomes: Outcome) -> list[Condition]:
        """Return the conditions with these outcomes, the worst first."""
        return [
            condition
            for outcome in WORST_FIRST
            if outcome in outcomes
            for condition in self.conditions
            if condition.outcome == outcome
        ]


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return fail where there is one, else inconclusive where there is one, else pass."""
    return min(outcomes, key=WORST_FIRST.index, default="pass")


def counted(outcomes: Sequence[Outcome]) -> str:
    """Say how many outcomes of each kind there are, the worst first."""
    counts = [(outcomes.count(outcome), outcome) for outcome in WORST_FIRST]
    return ", ".join(f"{count} {outcome}" for count, outcome in counts if count)


def write_gate(audit: Path, result: GateResult) -> Path:
    """Write `gate.json` into an audit folder and return its path.

    Raises:
        AuditError: it cannot be written.
    """
    content = {name: value for name, value in dataclasses.asdict(result).items() if name != "is_current"}
    with system_errors(AuditError, f"cannot write {audit / GATE}"):
        atomic.write_json(audit / GATE, content)
    return audit / GATE


def read_gate(audit: Path) -> GateResult | None:
    """Return the outcome of the gate that the audit folder was held to last, None where there was none.

    Raises:
        AuditError: the file is damaged.
    """
    path = audit / GATE
    try:
        values: dict[str, Any] = {**JsonObject(read_json(path)).values}
        values["is_current"] = values.get("records") == sha256_of(audit / RECORDS)
        result = read_as(GateResult, values)
        if not result.conditions:
            raise ValueError("it has no condition")
        return result
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AuditError(f"cannot read {path} ({one_line(error)}): run zoom-engine gate again, or remove it") from None
