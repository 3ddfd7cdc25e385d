"""What the check found, as GitLab shows it in a merge request: a Code Quality report. Pure.

The fields are those of https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format. A finding is about
two documents and not about a line, so each is placed at the first line of the index of its service's contracts.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from .checking import Report
from .findings import Finding, Severity


def code_quality(report: Report, folder_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """One entry for each finding that is not safe. ``folder_of``: a service's contracts, below the repository."""
    return [
        _entry(name, finding, f"{folder_of(name)}/index.json")
        for name, verdict in report.verdicts.items()
        for finding in verdict.findings
        if finding.severity is not Severity.SAFE
    ]


def _entry(service: str, finding: Finding, path: str) -> dict[str, Any]:
    told = f"{service}\0{finding.rule}\0{finding.place}\0{finding.sentence}"
    return {
        "description": f"{service}: {finding.sentence}",
        "check_name": finding.rule,
        "fingerprint": hashlib.sha256(told.encode()).hexdigest(),
        "severity": _severity(finding),
        "location": {"path": path, "lines": {"begin": 1}},
    }


def _severity(finding: Finding) -> str:
    if finding.severity is Severity.BREAKING:
        return "critical"
    return "major" if finding.undecided else "minor"
