"""``slipway backup create``: each service at one moment, in an order that lets a restore lose and double nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from slipway_chassis.events.kafka import Committed, Groups
from slipway_chassis.events.ports import Partition

from ..errors import BackupError
from ..runtimes.local.system import Service
from .databases import Databases, Server
from .folder import Backups, Found, Writing
from .manifest import DatabaseDump, GroupOffsets, KeptFile, Manifest, Secrets, ServiceBackup, TopicOffsets
from .sealing import fingerprint, seal

LARGEST_RELEASE_FILE = 16 * 1024 * 1024
LARGEST_SECRET = 64 * 1024
SEALED = "secrets.sealed"

Tell = Callable[[str, str], None]


class Source(Server, Protocol):
    """What runs somewhere, and is backed up."""

    def chosen(self, names: Sequence[str], /) -> Sequence[Service]:
        """Services with a database: those named, or all; BackupError for one that has none."""
        ...

    def groups(self, service: Service, /) -> Groups | None:
        """Where its consumer group is asked about; None for one that reads no events."""
        ...

    def group_of(self, service: Service, /) -> str:
        """What brokers call that."""
        ...

    def version(self, service: str, /) -> str: ...

    def releases_of(self, service: str, /) -> Mapping[str, Path]: ...

    def secrets_of(self, service: str, /) -> Mapping[str, Path]: ...


@dataclass(frozen=True, slots=True)
class Created:
    """``left_out``: names of secrets that are not in it. ``forgotten``: names of backups that were removed for it."""

    path: Path
    manifest: Manifest
    left_out: Sequence[str]
    forgotten: Sequence[str]


def create(
    source: Source,
    backups: Backups,
    *,
    services: Sequence[str],
    passphrase: bytes | None,
    keep: int | None,
    tell: Tell,
    check: Callable[[Found], None] = lambda _: None,
) -> Created:
    """Writes a backup of the services, or of all that have a database, and offers it when it is whole.

    ``passphrase`` seals their secrets, which are left out without it. ``keep``: how many backups of the same services
    stay. ``check`` raises for one that is not to be offered. Raises BackupError when there is no room or a dump fails,
    and DependencyUnavailable when PostgreSQL or Kafka is away; nothing is left of it then.
    """
    chosen, databases = source.chosen(services), Databases(source)
    begun = datetime.now(UTC)
    room = sum(databases.bytes_of(each.name) for each in chosen)
    with backups.writing(now=begun, room=room) as writing:
        kept = [_service(source, databases, writing, each, tell) for each in chosen]
        secrets, left_out = _secrets(source, writing, chosen, passphrase)
        manifest = Manifest(
            name=writing.name, begun=begun, finished=datetime.now(UTC), services=tuple(kept), secrets=secrets
        )
        check(Found(writing.path, manifest))
        path = writing.publish(manifest)
        forgotten = backups.forget(keep, made=manifest.name) if keep else []
    return Created(path, manifest, left_out, forgotten)


def _service(source: Source, databases: Databases, writing: Writing, service: Service, tell: Tell) -> ServiceBackup:
    # Offsets before the database: what a group has committed is in the database already, so a restore misses nothing,
    # and what it reads again is known to the inbox.
    offsets = _offsets(source, service)
    with databases.snapshot(service.name) as seen:
        dump = writing.add(f"{service.name}.dump", databases.dump(service.name, seen))
    rows = sum(seen.rows.values())
    tell(service.name, f"{len(seen.rows)} tables, {rows} rows, {dump.size} bytes, at {seen.moment:%H:%M:%S.%f}")
    return ServiceBackup(
        service=service.name,
        version=source.version(service.name),
        database=DatabaseDump(
            database=service.name, dump=dump, moment=seen.moment.astimezone(UTC), lsn=seen.lsn, rows=seen.rows
        ),
        offsets=offsets,
        releases=tuple(_releases(source, writing, service.name)),
    )


def _offsets(source: Source, service: Service) -> GroupOffsets | None:
    groups = source.groups(service)
    if groups is None:
        return None
    with closing(groups):
        committed = groups.committed(source.group_of(service))
    return GroupOffsets(group=source.group_of(service), topics=by_topic(committed))


def by_topic(committed: dict[Partition, Committed]) -> dict[str, TopicOffsets]:
    """Offsets by topic. A partition whose offset speaks of a former topic of that name is left out: it begins anew."""
    newest = {topic: one.topic_id for (topic, _), one in sorted(committed.items(), key=lambda each: each[1].offset)}
    return {
        topic: TopicOffsets(
            id=known,
            offsets={
                number: one.offset
                for (name, number), one in sorted(committed.items())
                if name == topic and one.topic_id == known
            },
        )
        for topic, known in sorted(newest.items())
    }


def _releases(source: Source, writing: Writing, service: str) -> Iterator[KeptFile]:
    for name, file in source.releases_of(service).items():
        yield writing.add(f"{service}.{name}", [_read(file, LARGEST_RELEASE_FILE)])


def _secrets(
    source: Source, writing: Writing, services: Sequence[Service], passphrase: bytes | None
) -> tuple[Secrets, Sequence[str]]:
    """What goes in, and the names of what does not."""
    values = {
        name: _read(file, LARGEST_SECRET)
        for service in services
        for name, file in source.secrets_of(service.name).items()
    }
    known = {name: fingerprint(value) for name, value in values.items()}
    if not values or passphrase is None:
        return Secrets(fingerprints=known), list(values)
    return Secrets(sealed=writing.add(SEALED, [seal(values, passphrase)]), fingerprints=known), []


def _read(file: Path, limit: int) -> bytes:
    with file.open("rb") as opened:
        text = opened.read(limit + 1)
    if len(text) > limit:
        raise BackupError(f"{file} has more than {limit} bytes, which no file of this kind has")
    return text
