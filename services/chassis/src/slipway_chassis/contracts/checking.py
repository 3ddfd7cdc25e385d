"""``slipway contracts check``: every service of this tree against its earlier self and its consumers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .bundle import Contracts
from .findings import Finding, Severity
from .verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Report:
    """``verdicts`` by service, only those with something to say."""

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
                    "inconclusive": verdict.inconclusive,
                    "findings": [one.data() for one in verdict.findings],
                }
                for name, verdict in self.verdicts.items()
            },
        }


def check(old: Mapping[str, Contracts], new: Mapping[str, Contracts]) -> Report:
    """In CI nobody knows what is used: a dropped major with a successor is for the gate to decide."""
    consumers = [declared for contracts in new.values() for declared in contracts.consumes]
    verdicts = {name: judge(old.get(name), contracts, consumers, None) for name, contracts in new.items()}
    for name in old.keys() - new.keys():
        verdicts[name] = _refused(_gone(name))
    names = {contracts.service for contracts in new.values()}
    for declared in consumers:
        if declared.service not in names:
            finding = Finding(
                rule="consumer-service-unknown", place=str(declared), before=declared.service, after=None,
                severity=Severity.BREAKING,
                sentence=f"{declared}, and there is no service {declared.service}. Correct its consumes.",
            )  # fmt: skip
            known = verdicts.get(declared.consumer, _refused())
            verdicts[declared.consumer] = _refused(*known.findings, finding)
    return Report({name: verdict for name, verdict in sorted(verdicts.items()) if verdict.findings})


def _gone(name: str) -> Finding:
    return Finding(
        rule="service-removed", place=name, before=name, after=None, severity=Severity.BREAKING,
        sentence=f"{name} has no contracts any more. Write them again: slipway contracts export {name}.",
    )  # fmt: skip


def _refused(*findings: Finding) -> Verdict:
    return Verdict(ok=False, findings=findings, inconclusive=any(one.undecided for one in findings))
