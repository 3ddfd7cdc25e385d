"""``slipway contracts check``: every service of this tree against its earlier self, its consumers and its providers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import UnreadableContracts
from .findings import Finding, Severity
from .readers import EVENT_UNREADABLE
from .verdict import NO_SUCH_SERVICE, Result, Shown, Verdict, judge, verdict_of


@dataclass(frozen=True, slots=True)
class Report:
    """``verdicts`` by service."""

    verdicts: Mapping[str, Verdict]

    @property
    def ok(self) -> bool:
        return all(map(_holds, self.verdicts.values()))

    def data(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "services": {
                name: {
                    "ok": _holds(verdict),
                    "result": str(verdict.result),
                    "inconclusive": verdict.inconclusive,
                    "message": verdict.message,
                    "findings": [one.data() for one in verdict.findings],
                }
                for name, verdict in self.verdicts.items()
            },
        }


def _holds(verdict: Verdict) -> bool:
    """Nothing breaks, and nothing waits for a service that nobody showed: a tree does not change while CI waits."""
    return verdict.ok and not any(one.rule == NO_SUCH_SERVICE and one.undecided for one in verdict.findings)


def check(old: Mapping[str, Shown], new: Mapping[str, Shown], others: Mapping[str, Shown] = {}) -> Report:
    """In CI nobody knows what is used: a dropped major with a successor is for the gate to decide.

    ``others``: services of other repositories, as consumers and providers; they are not compared.

    Raises:
        UnreadableContracts: of the earlier tree, for what was not read can't be said to break nothing
    """
    for name, contracts in old.items():
        if isinstance(contracts, UnreadableContracts):
            raise UnreadableContracts(f"the earlier contracts of {name} can't be read: {contracts}")
    known = {**others, **new}
    verdicts = {name: _judged(old.get(name), name, known) for name in new}
    verdicts |= {name: _gone(name) for name in old.keys() - new.keys()}
    return Report(dict(sorted(verdicts.items())))


def _judged(active: Shown | None, name: str, known: Mapping[str, Shown]) -> Verdict:
    """As the gate does. But what a reader's class refuses is a break of this tree, however old it is; and the service
    that a first version relies on is in the tree already, or is named to this command.
    """
    others = {other: one for other, one in known.items() if other != name}
    verdict = judge(active, known[name], others, None)
    findings = [_in_tree(one, first=active is None) for one in verdict.findings]
    return verdict if findings == list(verdict.findings) else verdict_of(findings)


def _in_tree(finding: Finding, *, first: bool) -> Finding:
    if finding.rule == EVENT_UNREADABLE:
        return replace(finding, severity=Severity.BREAKING)
    return replace(finding, undecided=True) if first and finding.rule == NO_SUCH_SERVICE else finding


def _gone(name: str) -> Verdict:
    finding = Finding(
        rule="service-removed", place=name, before=name, after=None, severity=Severity.BREAKING,
        sentence=f"{name} has no contracts any more. Write them again: slipway contracts export {name}.",
    )  # fmt: skip
    return Verdict(result=Result.FAILED, findings=[finding], message=finding.sentence)
