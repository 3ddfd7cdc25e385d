"""``slipway contracts check``: every service of this tree against its earlier self and its consumers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .asyncapi import messages_of, payload_of
from .bundle import Contracts
from .events import LENIENT
from .findings import Finding, Severity, pointer
from .schema import Code, gaps
from .schema.gaps import NOTICES
from .verdict import Verdict, judge
from .wording import for_people, shortened


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
    for name, contracts in new.items():
        unreadable = list(_unreadable(contracts, new))
        if unreadable:
            verdicts[name] = _refused(*verdicts[name].findings, *unreadable)
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


def _unreadable(reader: Contracts, all_of_them: Mapping[str, Contracts]) -> Iterator[Finding]:
    """Both sides are at hand here: what the writer's schema allows, the reader's classes must accept."""
    events = {kind: schema for contracts in all_of_them.values() for kind, schema in contracts.events.items()}
    for topic, messages in messages_of(reader.asyncapi, "receive").items():
        for kind in messages.keys() & events.keys():
            wanted = payload_of(messages[kind])
            for gap in gaps(events[kind], wanted, events[kind], wanted, LENIENT):
                if gap.code not in NOTICES and gap.code is not Code.UNDECIDED:
                    yield Finding(
                        rule="consumer-event-unreadable", place=pointer("channels", topic, kind, *gap.path),
                        before=gap.narrow, after=gap.wide, severity=Severity.BREAKING,
                        sentence=f"{reader.service} reads {kind}: {for_people(gap.path).removeprefix(': ') or 'it'} is "
                        f"written as {shortened(gap.wide)} and read as {shortened(gap.narrow)}. Read what is written.",
                    )  # fmt: skip


def _gone(name: str) -> Finding:
    return Finding(
        rule="service-removed", place=name, before=name, after=None, severity=Severity.BREAKING,
        sentence=f"{name} has no contracts any more. Write them again: slipway contracts export {name}.",
    )  # fmt: skip


def _refused(*findings: Finding) -> Verdict:
    return Verdict(ok=False, findings=findings, inconclusive=any(one.undecided for one in findings))
