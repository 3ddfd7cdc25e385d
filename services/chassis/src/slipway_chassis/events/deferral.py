"""Records that failed and wait for another try, while other keys go on. Pure: the clock is an argument.

Behind a record that waits stand the later records of its key, so that the key's order holds. Offsets are
committed only up to the first record that waits; what was applied behind it comes again after a crash, and
the inbox knows it.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from .ports import Partition, Record

DeferralKey = tuple[str, bytes | int, int]


@dataclass(slots=True)
class Deferred:
    """The head failed ``attempts`` times, first at ``since`` and last at ``last``, and is due at ``due``. ``blamed``:
    how many of these are its own fault, as far as can be told.
    """

    records: deque[Record]
    attempts: int
    due: float
    blamed: int = 0
    since: float = 0.0
    last: float = 0.0


@dataclass(slots=True)
class Deferrals:
    waiting: dict[DeferralKey, Deferred] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(one.records) for one in self.waiting.values())

    def size(self) -> int:
        """Bytes of keys and values."""
        records = (record for one in self.waiting.values() for record in one.records)
        return sum(len(record.key or b"") + len(record.value or b"") for record in records)

    def defer(
        self, record: Record, *, attempts: int, due: float, blamed: int = 0, since: float = 0.0, last: float = 0.0
    ) -> None:
        """A failure of a record whose key does not wait yet."""
        self.waiting[_key(record)] = Deferred(deque([record]), attempts, due, blamed, since, last)

    def put_back(self, records: deque[Record], *, due: float) -> None:
        """Records of one key whose turn has come, and for which no time was left."""
        self.waiting[_key(records[0])] = Deferred(records, 0, due)

    def holds(self, record: Record) -> bool:
        """Whether the record's key waits."""
        return _key(record) in self.waiting

    def takes(self, record: Record) -> bool:
        """Whether the record's key waits; then the record waits behind it."""
        found = self.waiting.get(_key(record))
        if found is None:
            return False
        # After a rebalance the same records may be polled again.
        if record.offset > found.records[-1].offset or _partition(record) != _partition(found.records[-1]):
            found.records.append(record)
        return True

    def due(self, now: float) -> list[Deferred]:
        return [one for one in self.waiting.values() if one.due <= now]

    def next_due(self, default: float) -> float:
        return min((one.due for one in self.waiting.values()), default=default)

    def remove(self, deferred: Deferred) -> None:
        self.waiting = {key: one for key, one in self.waiting.items() if one is not deferred}

    def keep(self, assigned: Collection[Partition]) -> None:
        """Forgets records of partitions that went to other members: they are theirs to process."""
        for key, one in list(self.waiting.items()):
            one.records = deque(record for record in one.records if _partition(record) in assigned)
            if not one.records:
                del self.waiting[key]

    def first_offsets(self) -> dict[Partition, int]:
        """Per partition the lowest offset that waits."""
        lowest: dict[Partition, int] = {}
        for one in self.waiting.values():
            for record in one.records:
                partition = _partition(record)
                lowest[partition] = min(record.offset, lowest.get(partition, record.offset))
        return lowest


@dataclass(slots=True)
class Positions:
    """Per partition: the next offset to poll, and the offset that is committed, as far as known here."""

    next: dict[Partition, int] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)

    def polled(self, records: Collection[Record]) -> None:
        for record in records:
            partition = (record.topic, record.partition)
            if partition not in self.committed:
                self.committed[partition] = record.offset
            self.next[partition] = record.offset + 1

    def give_back(self, records: Iterable[Record]) -> dict[Partition, int]:
        """Records that are polled again, each partition's in order: where each partition goes on."""
        first: dict[Partition, int] = {}
        for record in records:
            first.setdefault(_partition(record), record.offset)
        self.next |= first
        return first

    def keep(self, assigned: Collection[Partition]) -> None:
        for known in (self.next, self.committed):
            for partition in known.keys() - set(assigned):
                del known[partition]

    def to_commit(self, held: Mapping[Partition, int]) -> dict[Partition, int]:
        """What may be committed now: everything before the first record that is held."""
        safe = {partition: min(offset, held.get(partition, offset)) for partition, offset in self.next.items()}
        return {partition: offset for partition, offset in safe.items() if offset > self.committed[partition]}


def _partition(record: Record) -> Partition:
    return record.topic, record.partition


def _key(record: Record) -> DeferralKey:
    """Records without a key wait for nobody: each is a key of its own."""
    if record.key is None:
        return record.topic, record.offset, record.partition
    return record.topic, record.key, -1
