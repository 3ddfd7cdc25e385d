"""What a candidate changes, and whom that breaks: its active version, and those who declared to rely on it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from .asyncapi import compare_asyncapi
from .bundle import Contracts
from .canonical import canonical
from .consumes import Declared, ReadsEvent
from .event_versions import unmarked_versions
from .events import LENIENT, compare_schemas
from .findings import Finding, Mode, Severity
from .openapi import compare_openapi
from .reliance import unmet
from .retirement import Usage, successors, version_dropped


def changed(
    active: Contracts | None, candidate: Contracts, consumers: Iterable[Declared], usage: Usage
) -> Iterator[Finding]:
    """Declarations about other services are passed over."""
    concerned = [one for one in consumers if one.service == candidate.service]
    if active is not None:
        yield from _apis(active, candidate, usage)
        yield from _events(active, candidate, concerned)
        yield from _descriptors(active, candidate, usage)
    yield from _consumers(active, candidate, concerned)


def _apis(active: Contracts, candidate: Contracts, usage: Usage) -> Iterator[Finding]:
    for version, old in active.openapis.items():
        new = candidate.openapis.get(version)
        if new is not None:
            yield from compare_openapi(old, new) if _differ(old, new) else ()
        else:
            yield version_dropped(version, f"openapi.{version}.json", sorted(candidate.openapis), usage)


def _differ(old: object, new: object) -> bool:
    """Equal documents take nothing away, whatever they say. One beside itself is asked whether it can be judged."""
    return old is new or canonical(old) != canonical(new)


def _events(active: Contracts, candidate: Contracts, consumers: Sequence[Declared]) -> Iterator[Finding]:
    """New data must suit those who read with the old schema, and retained data those who read with the new one."""
    gone = active.events.keys() - candidate.events.keys()
    for kind, old in active.events.items():
        new = candidate.events.get(kind)
        if new is not None:
            place = "events", kind
            yield from (
                compare_schemas(old, new, Mode.FULL, reading=LENIENT, where=kind, place=place)
                if _differ(old, new)
                else ()
            )
        else:
            yield _event_gone(kind, candidate, consumers)
    yield from unmarked_versions(active, candidate, consumers)
    changed_topics = _differ(active.asyncapi, candidate.asyncapi)
    for one in compare_asyncapi(active.asyncapi, candidate.asyncapi, payloads=False) if changed_topics else ():
        message = one.place.rpartition("/")[2]
        renewed = one.rule == "channel-removed" and successors(str(one.before), _topics(candidate))
        if not renewed and not (one.rule == "message-removed" and message in gone):
            yield one


def _topics(contracts: Contracts) -> list[str]:
    channels = contracts.asyncapi.get("channels")
    return [str(name) for name in channels] if isinstance(channels, Mapping) else []


def _event_gone(kind: str, candidate: Contracts, consumers: Sequence[Declared]) -> Finding:
    readers = sorted({one.consumer for one in consumers if isinstance(one, ReadsEvent) and one.type == kind})
    replaced = successors(kind, candidate.events)
    safe = bool(replaced) and not readers
    why = f"{replaced[0]} takes its place, and nobody declared to read it" if safe else "somebody may read it"
    if readers:
        why = f"{', '.join(readers)} declared to read it"
    return Finding(
        rule="event-replaced" if safe else "event-removed",
        place=f"/events/{kind}", before=kind, after=replaced[0] if replaced else None,
        severity=Severity.SAFE if safe else Severity.BREAKING,
        sentence=f"{kind} is no longer written: {why}." + ("" if safe else " Write both until nobody reads it."),
    )  # fmt: skip


def _descriptors(active: Contracts, candidate: Contracts, usage: Usage) -> Iterator[Finding]:
    if not active.descriptors:
        return
    from .protobuf import compare_descriptors, packages  # noqa: PLC0415 # most services have none

    kept = packages(candidate.descriptors)
    replaced = {name for name in packages(active.descriptors) - kept if successors(name, kept)}
    for name in sorted(replaced):
        yield version_dropped(name, name, successors(name, kept), usage)
    for one in compare_descriptors(active.descriptors, candidate.descriptors):
        moved = one.rule == "file-same-package" and one.before in replaced
        if not moved and not any(one.place == name or one.place.startswith(f"{name}.") for name in replaced):
            yield one


def _consumers(active: Contracts | None, candidate: Contracts, consumers: Sequence[Declared]) -> Iterator[Finding]:
    """A declaration that was wrong before is its consumer's fault and stops no release of this service."""
    for declared in consumers:
        before = {one.before for one in unmet(declared, active)} if active else set()
        for one in unmet(declared, candidate):
            yield so_before(one) if one.before in before else one


def so_before(finding: Finding) -> Finding:
    """It is told, and no fault of this change."""
    sentence = f"{finding.sentence} It was so before this change."
    return replace(finding, after=None, severity=Severity.WARNING, sentence=sentence, undecided=False)
