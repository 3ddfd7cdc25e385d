"""Versions of one event side by side: how a version leaves without a consumer losing or doubling anything.

A consumer applies the newest version it knows of those that accompany each other, and passes over the others. One
that stands beside a version it knows and is not marked becomes a dead letter there: passing it over might lose it.
"""

from collections.abc import Iterable, Iterator, Sequence

from .asyncapi_document import messages_of
from .bundle import Contracts
from .consumes import Declared, ReadsEvent
from .findings import Finding, Severity

ACCOMPANIES = "x-accompanies"  # as slipway_chassis.events.asyncapi writes it


def unmarked_versions(active: Contracts, candidate: Contracts, consumers: Iterable[Declared]) -> Iterator[Finding]:
    """What the candidate newly publishes beside a version that somebody reads, without saying so."""
    reads = [one for one in consumers if isinstance(one, ReadsEvent)]
    before = set(_unmarked(active))
    for topic, kind, beside in _unmarked(candidate):
        readers = sorted({one.consumer for one in reads if one.type == beside})
        readers = [one for one in readers if not any(other.consumer == one and other.type == kind for other in reads)]
        if readers and (topic, kind, beside) not in before:
            yield _beside(topic, kind, beside, readers)


def _unmarked(contracts: Contracts) -> Iterator[tuple[str, str, str]]:
    for topic, messages in messages_of(contracts.asyncapi, "send").items():
        for kind, message in messages.items():
            marks = message.get(ACCOMPANIES)
            marked = marks if isinstance(marks, list) else []
            for other in messages:
                if other != kind and _name(other) == _name(kind) and other not in marked:
                    yield topic, kind, other


def _name(kind: str) -> str:
    name, separator, version = kind.rpartition(".v")
    return name if separator and version.isdecimal() else kind


def _beside(topic: str, kind: str, beside: str, readers: Sequence[str]) -> Finding:
    return Finding(
        rule="event-version-unmarked", place=f"/events/{kind}", before=beside, after=kind, severity=Severity.BREAKING,
        sentence=f"{kind} is written to {topic} beside {beside}, which {', '.join(readers)} declared to read: there it "
        f"becomes a dead letter. Name {_name(kind)} in side_by_side of the stream, and write both for each change.",
    )  # fmt: skip
