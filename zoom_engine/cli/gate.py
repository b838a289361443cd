"""`zoom-engine gate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.options import given_of, options, takes
from zoom_engine.cli.output import AsJson, print_json, screen, write_file
from zoom_engine.common.errors import GateError, ZoomError
from zoom_engine.common.notices import tell
from zoom_engine.gates.rules import LIMITS, Rule, read_rules, rules_of


@takes(options(Rule, *LIMITS))
def gate(
    audit: Annotated[Path, Parameter(help="an audit folder")],
    /,
    *,
    rules: Annotated[Path | None, Parameter(help="TOML file with tables [[rule]]", metavar="FILE")] = None,
    baseline: Annotated[Path | None, Parameter(help="the audit that max-growth compares with", metavar="AUDIT")] = None,
    junit: Annotated[Path | None, Parameter(help="JUnit XML to write", metavar="FILE")] = None,
    sarif: Annotated[Path | None, Parameter(help="SARIF 2.1.0 to write", metavar="FILE")] = None,
    markdown: Annotated[Path | None, Parameter(help="Markdown to write, for a pull request", metavar="FILE")] = None,
    json: AsJson = False,
    **limits: Any,
) -> int:
    r"""Check an audit against rules: do all pass (exit code 0), does one fail (1)?

    Rules are decided by intervals. Where these do not decide, as in an audit
    that is too small, a rule is inconclusive (2). The audit's report and the
    index above it show the outcome. For example:

      zoom-engine gate audit --max-sensitivity 0.1 \
          --baseline last-release --max-growth 0.03
    """
    try:
        chosen = [*(read_rules(rules) if rules else ()), *rules_of(given_of(LIMITS, limits))]
        from zoom_engine.gates.formats.junit import to_junit
        from zoom_engine.gates.formats.markdown import to_markdown
        from zoom_engine.gates.formats.sarif import to_sarif
        from zoom_engine.gates.judge import judge
        from zoom_engine.gates.outcome import records_hash, show_outcome
        from zoom_engine.gates.text import verdict_text
        from zoom_engine.statistics.diagnosis import Diagnosis

        if baseline is not None and all(rule.max_growth is None for rule in chosen):
            tell("the baseline is compared with nothing, as no rule is one of growth (--max-growth)")
        before = None if baseline is None else Diagnosis.load(baseline)
        records = records_hash(audit)
        diagnosis = Diagnosis.load(audit)
        verdict = judge(diagnosis, chosen, baseline=before)
        if junit:
            write_file(junit, to_junit(verdict))
        if sarif:
            write_file(sarif, to_sarif(verdict, at=rules or audit / "report.html"))
        if markdown:
            write_file(markdown, to_markdown(verdict).encode("utf-8", "backslashreplace"))
    except ZoomError as error:
        raise GateError(str(error)) from error
    if json:
        print_json(verdict.to_json())
    else:
        width, colors = screen()
        print(verdict_text(verdict, width=width, colors=colors))
    try:
        show_outcome(audit, diagnosis, verdict, records=records)
    except ZoomError as error:  # the verdict stands, and so does its exit code
        tell(f"not every page shows this outcome: {error}")
    return verdict.exit_code
