"""``slipway contracts check``: every service of this tree against its earlier self, its consumers and its providers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import UnreadableContracts
from .findings import Finding, Severity
from .readers import EVENT_UNREADABLE
from .verdict import Result, Shown, Verdict, judge, verdict_of


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
    """As the gate does; and what a reader's class refuses is a break of this tree, however old it is."""
    others = {other: one for other, one in known.items() if other != name}
    verdict = judge(active, known[name], others, None, all_known=True)
    unread = [one for one in verdict.findings if one.rule == EVENT_UNREADABLE]
    if not unread:
        return verdict
    rest = [one for one in verdict.findings if one.rule != EVENT_UNREADABLE]
    return verdict_of([*rest, *(replace(one, severity=Severity.BREAKING) for one in unread)])


def _gone(name: str) -> Verdict:
    finding = Finding(
        rule="service-removed", place=name, before=name, after=None, severity=Severity.BREAKING,
        sentence=f"{name} has no contracts any more. Write them again: slipway contracts export {name}.",
    )  # fmt: skip
    return Verdict(result=Result.FAILED, findings=[finding], message=finding.sentence)
