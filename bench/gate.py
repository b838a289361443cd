"""The gate: ratios measured now beside those committed for the same instruction set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]

ALIKE = {"instruction_set": "instruction set", "processor_model": "processor"}
"""What a machine must have in common with that of committed ratios: two generations of processors with the same
instructions multiply bfloat16 at different rates beside float32."""


@dataclass(frozen=True)
class Verdict:
    """One case and variant: its ratio ``committed`` and ``now``, None where it could not be measured any more."""

    case: str
    variant: str
    committed: float
    now: float | None
    spread: float | None
    reason: str = ""

    @property
    def moved(self) -> float:
        """Now over committed."""
        return (self.now or 0.0) / self.committed

    def __str__(self) -> str:
        ratio = "–" if self.now is None else f"{self.now:.2f}×"
        spread = "" if self.spread is None else f"{self.spread:.2f}"
        return (
            f"{self.case:18} {self.variant:10} {self.committed:8.2f}× {ratio:>9} {self.moved:7.2f} {spread:>7}"
            f" {self.reason}"
        ).rstrip()


HEADER = f"{'case':18} {'variant':10} {'committed':>9} {'now':>9} {'moved':>7} {'spread':>7}"


class OtherMachineError(ValueError):
    """Ratios of another kind of processor, with which those measured here cannot be compared."""


def committed_ratios(path: Path, machine: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    """The ratios in the results at ``path``, by suite, case and variant, for comparing on ``machine``.

    Raises OtherMachineError where `ALIKE` differ, and ValueError for a file that is not there or without any; one line.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    for name, words in ALIKE.items():
        if (value := document["machine"].get(name)) != machine[name]:
            raise OtherMachineError(
                f"{path} was measured with {words} {value}, this machine has {machine[name]}: ratios cannot be compared"
            )
    ratios = {
        (row["suite"], row["case"], row["variant"]): float(row["ratio"])
        for row in document["results"]
        if row.get("ratio") and row["variant"] != row["baseline"]
    }
    if not ratios:
        raise ValueError(f"{path} holds no ratios")
    return ratios


def compare(results: Sequence[Result], committed: dict[tuple[str, str, str], float]) -> list[Verdict]:
    """One verdict for each committed ratio whose case and variant were asked for."""
    verdicts = []
    for row in results:
        ratio = committed.get((row["suite"], row["case"], row["variant"]))
        if ratio is not None:
            reason = row.get("skipped") or ("fewer units flip than by the baseline" if row["ratio"] is None else "")
            verdicts.append(Verdict(row["case"], row["variant"], ratio, row.get("ratio"), row.get("spread"), reason))
    return verdicts


def joined(first: Result, second: Result) -> Result:
    """One result of two measurements of the same: all rounds, and the fastest of them."""
    if first["seconds"] is None or second["seconds"] is None:
        return second
    fastest = min(first, second, key=lambda row: float(row["seconds"]))
    return {**fastest, "rounds": [*first.get("rounds", ()), *second.get("rounds", ())]}
