"""JUnit XML: a test case for each finding. A rule that fails is a failure, an inconclusive one an error."""

from __future__ import annotations

from typing import Any, cast

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from zoom_engine.gates.judge import Verdict

_RESULTS = {"fail": Failure, "inconclusive": Error}


def to_junit(verdict: Verdict) -> bytes:
    """Return the document as UTF-8."""
    suite = TestSuite(f"zoom-engine gate: {verdict.audit}")
    for title, text in verdict.about.lines:
        suite.add_property(title, text)
    for finding in verdict.findings:
        case = TestCase(finding.subject, classname=finding.rule.text)
        if finding.outcome in _RESULTS:
            text = f"{finding.subject}: {finding.rule.text}: {finding.outcome}, {finding.estimate}"
            case.result = [_RESULTS[finding.outcome](text, finding.outcome)]
        else:
            case.system_out = finding.estimate
        suite.add_testcase(case)
    document: Any = JUnitXml("zoom-engine gate")
    document.add_testsuite(suite)
    return cast(bytes, document.tostring())
