"""What the events of a topic say of each aggregate. Pure: records come in, states come out.

Versions of an aggregate count its events, so those of a stream are 1, 2, 3 and so on. The same event twice is
allowed (the relay sends at least once); anything else is a finding.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import InvalidEvent
from ..events.ports import Record
from ..events.stream import Envelope

MOST_FINDINGS = 1000  # that are kept of one check; the rest is counted


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be. ``subject``: of which aggregate, letter or row; ``what``: one sentence. Where
    something lags, ``reached`` is the version it has, and ``wanted`` the one it should have.
    """

    check: str
    subject: str
    what: str
    reached: int = 0
    wanted: int | None = None

    def outlasts(self, before: "Finding") -> bool:
        """Whether it is what an earlier look has found, and not on its way. What lags has by now not even reached what
        was wanted then, however much was added since; of anything else the words are the same.
        """
        if self.wanted is None or before.wanted is None:
            return self == before
        return self.reached < before.wanted


@dataclass(slots=True)
class Findings:
    """Those of one check; ``count`` has also what is not kept."""

    check: str
    count: int = 0
    kept: list[Finding] = field(default_factory=list)

    def add(self, subject: str, what: str, *, reached: int = 0, wanted: int | None = None) -> None:
        """One more."""
        self.count += 1
        if len(self.kept) < MOST_FINDINGS:
            self.kept.append(Finding(self.check, subject, what, reached, wanted))

    @property
    def cut(self) -> bool:
        """Whether there are more than are kept."""
        return self.count > len(self.kept)


@dataclass(slots=True)
class Stream:
    """A topic as it was read. ``complete``: its beginning was not deleted."""

    topic: str
    events: int = 0
    sent_again: int = 0
    versions: dict[str, dict[int, str]] = field(default_factory=dict)  # aggregate id → version → event id
    types: dict[str, dict[str, int]] = field(default_factory=dict)  # aggregate id → type → its latest version
    _ends: dict[str, int] = field(default_factory=dict)  # aggregate id → the highest version so far
    _first: dict[int, int] = field(default_factory=dict)  # partition → its first offset
    _partition: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing was deleted of it by retention, in partitions that have events."""
        return not any(self._first.values())

    def latest(self, aggregate_id: str, types: Iterable[str] = ()) -> int:
        """The highest version that was published, of these types where some are named; 0: none."""
        wanted = tuple(types)
        if not wanted:
            return self._ends.get(aggregate_id, 0)
        found = self.types.get(aggregate_id, {})
        return max((found.get(kind, 0) for kind in wanted), default=0)

    def read(self, records: Iterable[Record]) -> Findings:
        """Takes all records, each partition's in order; says what is doubled, misordered, missing or no event."""
        findings = Findings(f"stream {self.topic}")
        for record in records:
            self._first.setdefault(record.partition, record.offset)
            try:
                self._take(record, Envelope.of(record), findings)
            except InvalidEvent as error:
                findings.add(f"{record.partition}:{record.offset}", f"is no event: {error}")
        for aggregate_id, versions in self.versions.items():
            self._missing(aggregate_id, versions, findings)
        return findings

    def _take(self, record: Record, event: Envelope, findings: Findings) -> None:
        self.events += 1
        known = self.versions.setdefault(event.subject, {})
        partition = self._partition.setdefault(event.subject, record.partition)
        if partition != record.partition:
            findings.add(
                event.subject, f"has events in the partitions {partition} and {record.partition}: no order holds"
            )
        before, end = known.get(event.version), self._ends.get(event.subject, 0)
        if before == str(event.id):
            self.sent_again += 1
            return
        if before is not None:
            findings.add(event.subject, f"version {event.version} was published twice: {before} and {event.id}")
            return
        if event.version < end:
            findings.add(event.subject, f"version {event.version} came behind {end}")
        known[event.version] = str(event.id)
        self._ends[event.subject] = max(end, event.version)
        of_type = self.types.setdefault(event.subject, {})
        of_type[event.type] = max(of_type.get(event.type, 0), event.version)

    def _missing(self, aggregate_id: str, versions: dict[int, str], findings: Findings) -> None:
        first = 1 if not self._first[self._partition[aggregate_id]] else min(versions)
        if len(versions) == max(versions) - first + 1:
            return
        missing = next(number for number in range(first, max(versions)) if number not in versions)
        findings.add(aggregate_id, f"version {missing} is missing, and {max(versions)} is there")
