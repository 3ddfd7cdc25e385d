"""``slipway contracts check``: every service of this tree against its earlier self, its consumers and its providers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .findings import Finding, Severity
from .verdict import Result, Shown, Verdict, judge


@dataclass(frozen=True, slots=True)
class Report:
    """``verdicts`` by service."""

    verdicts: Mapping[str, Verdict]

    @property
    def ok(self) -> bool:
        return all(verdict.ok for verdict in self.verdicts.values())

    def data(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "services": {
                name: {
                    "ok": verdict.ok,
                    "result": str(verdict.result),
                    "inconclusive": verdict.inconclusive,
                    "message": verdict.message,
                    "findings": [one.data() for one in verdict.findings],
                }
                for name, verdict in self.verdicts.items()
            },
        }


def check(old: Mapping[str, Shown], new: Mapping[str, Shown]) -> Report:
    """In CI nobody knows what is used: a dropped major with a successor is for the gate to decide."""
    verdicts = {
        name: judge(
            old.get(name), candidate, {other: one for other, one in new.items() if other != name}, None, all_known=True
        )
        for name, candidate in new.items()
    }
    verdicts |= {name: _gone(name) for name in old.keys() - new.keys()}
    return Report(dict(sorted(verdicts.items())))


def _gone(name: str) -> Verdict:
    finding = Finding(
        rule="service-removed", place=name, before=name, after=None, severity=Severity.BREAKING,
        sentence=f"{name} has no contracts any more. Write them again: slipway contracts export {name}.",
    )  # fmt: skip
    return Verdict(result=Result.FAILED, findings=[finding], message=finding.sentence)
