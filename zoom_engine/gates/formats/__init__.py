"""Verdicts as others read them: JUnit XML for test reports, SARIF for code scanning, Markdown for pull requests."""
