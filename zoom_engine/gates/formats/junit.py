"""JUnit XML: a test case for each finding. A rule that fails is a failure, an inconclusive one an error."""

from __future__ import annotations

import re
from typing import Any, cast

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from zoom_engine.gates.judge import Verdict

_RESULTS = {"fail": Failure, "inconclusive": Error}
_NO_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""Characters that no XML document may have, not even as references; names of files may."""


def to_junit(verdict: Verdict) -> bytes:
    """Return the document as UTF-8."""
    suite = TestSuite(_text(f"zoom-engine gate: {verdict.audit}"))
    for title, text in verdict.about.lines:
        suite.add_property(title, _text(text))
    for note in verdict.notes:
        suite.add_property("note", _text(note))
    for finding in verdict.findings:
        case = TestCase(_text(finding.subject), classname=finding.rule.text)
        if finding.outcome in _RESULTS:
            text = _text(f"{finding.subject}: {finding.rule.text}: {finding.outcome}, {finding.estimate}")
            case.result = [_RESULTS[finding.outcome](text, finding.outcome)]
        else:
            case.system_out = _text(finding.estimate)
        suite.add_testcase(case)
    document: Any = JUnitXml("zoom-engine gate")
    document.add_testsuite(suite)
    return cast(bytes, document.tostring())


def _text(text: str) -> str:
    return _NO_XML.sub("?", text)
