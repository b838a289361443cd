"""A pytest plugin: an audit in a test, held to rules as `zoom-engine gate` does it.

    def test_model(zoom_audit):
        zoom_audit(target="model.onnx", attributes=["a face with pale skin"]).assert_below("pale skin", 0.05)

pytest loads this module wherever zoom-engine is installed, so nothing that takes long is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import pytest

if TYPE_CHECKING:
    from zoom_engine.diagnose.audit_options import AuditChanges
    from zoom_engine.statistics.diagnosis import Diagnosis


class Audited:
    """A finished `diagnosis` that a test can hold to rules.

    A rule that fails, and one that is inconclusive, fails the test.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        """Wrap a finished audit."""
        self.diagnosis = diagnosis

    def assert_below(self, attribute: str | Sequence[str], limit: float) -> None:
        """Assert that the mean change of the output by the attribute, or by each of several, is at most `limit`."""
        names = [attribute] if isinstance(attribute, str) else attribute
        self._hold(max_sensitivity=limit, attributes=names)

    def assert_all_below(self, limit: float) -> None:
        """Assert that the mean change by every attribute is at most `limit`."""
        self._hold(max_sensitivity=limit)

    def assert_not_grown(self, limit: float, *, baseline: str | Path | Diagnosis) -> None:
        """Assert that no attribute moves the output by more than `limit` further than in the `baseline`.

        `baseline` is an audit or its folder.
        """
        from zoom_engine.statistics.diagnosis import Diagnosis

        before = baseline if isinstance(baseline, Diagnosis) else Diagnosis.load(baseline)
        self._hold(before, max_growth=limit)

    def _hold(self, baseline: Diagnosis | None = None, **rule: Any) -> None:
        from zoom_engine.gates.judge import judge
        from zoom_engine.gates.rules import Rule
        from zoom_engine.gates.text import verdict_text

        verdict = judge(self.diagnosis, [Rule(**rule)], baseline=baseline)
        if verdict.outcome != "pass":
            where = "" if self.diagnosis.path is None else f"\nOpen {self.diagnosis.path / 'report.html'}"
            pytest.fail(f"{verdict_text(verdict)}{where}", pytrace=False)


class ZoomAudit(Protocol):
    """The type of the fixture `zoom_audit`."""

    def __call__(
        self, *, images: int = ..., seed: int = ..., out: str | Path | None = None, **settings: Unpack[AuditChanges]
    ) -> Audited:
        """Audit a target, see `zoom_audit`."""


@pytest.fixture(scope="session")
def zoom_audit(tmp_path_factory: pytest.TempPathFactory) -> ZoomAudit:
    """Audit a target by the options of `Diagnoser` and of its `run`; by default the generator is "avatars".

    The audit lies in the folder `out`, where it is resumed if it was interrupted, else in a temporary folder.
    """

    def audit(
        *, images: int = 200, seed: int = 0, out: str | Path | None = None, **settings: Unpack[AuditChanges]
    ) -> Audited:
        from zoom_engine.diagnose.diagnoser import Diagnoser

        folder = tmp_path_factory.mktemp("zoom-audit") if out is None else out
        options: Any = {**({} if {"pairs", "editor"} & settings.keys() else {"generator": "avatars"}), **settings}
        diagnoser = Diagnoser(**options)
        return Audited(diagnoser.run(images=images, seed=seed, out=folder))

    return audit
