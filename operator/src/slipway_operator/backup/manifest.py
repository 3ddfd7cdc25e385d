"""The manifest of a backup: what it consists of, and what is wrong with it. Pure.

It is written last, so a folder without one is no backup. It may come from elsewhere: nothing in it names a file
outside of its folder.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import BackupUnusable

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 4 * 1024 * 1024
LARGEST_FILE = 16 * 1024**4
MOST_TABLES = 10_000

NAME = r"^\d{8}T\d{6}Z(-\d{1,3})?$"
FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9]{0,15}){1,2}$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Word = Annotated[str, Field(max_length=255)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeptFile(_Model):
    """``size`` in bytes."""

    file: FileName
    size: int = Field(ge=0, le=LARGEST_FILE)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class DatabaseDump(_Model):
    """One database as it was at ``moment``, PostgreSQL's time. ``lsn``: where its write-ahead log was. ``rows``: of
    each table, by schema.table.
    """

    database: ServiceName
    dump: KeptFile
    moment: AwareDatetime
    lsn: str = Field(pattern=r"^[0-9A-F]{1,8}/[0-9A-F]{1,8}$")
    rows: Mapping[Word, Annotated[int, Field(ge=0)]] = Field(max_length=MOST_TABLES)


class TopicOffsets(_Model):
    """``id``: of the topic that they speak of. ``offsets``: of the record that is read next, by partition."""

    id: Word
    offsets: Mapping[Annotated[int, Field(ge=0, le=100_000)], Annotated[int, Field(ge=0)]]


class GroupOffsets(_Model):
    """What a consumer group had committed before the moment of the database: never more than the database holds."""

    group: Word
    topics: Mapping[Word, TopicOffsets] = Field(max_length=10_000)


class ServiceBackup(_Model):
    """``version``: that answered requests. ``releases``: what was wanted of its versions, and how it was."""

    service: ServiceName
    version: Word = ""
    database: DatabaseDump
    offsets: GroupOffsets | None = None
    releases: tuple[KeptFile, ...] = Field((), max_length=10)


class Secrets(_Model):
    """``sealed``: they themselves, under a passphrase; None: they are left out. ``fingerprints``: by name, so that a
    restore can tell whether the secret that is there is the same one.
    """

    sealed: KeptFile | None = None
    fingerprints: Mapping[Word, Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]] = Field({}, max_length=1000)


class Manifest(_Model):
    format: Literal[1] = 1  # a reader of another format refuses it
    name: str = Field(pattern=NAME)
    begun: AwareDatetime
    finished: AwareDatetime
    services: tuple[ServiceBackup, ...] = Field(min_length=1, max_length=1000)
    secrets: Secrets = Secrets()

    @model_validator(mode="after")
    def _once_each(self) -> "Manifest":
        for what, names in (
            ("service", [each.service for each in self.services]),
            ("file", [each.file for each in self.files()]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"a {what} is named twice")
        return self

    def files(self) -> Iterator[KeptFile]:
        """Every file beside the manifest."""
        for service in self.services:
            yield service.database.dump
            yield from service.releases
        if self.secrets.sealed:
            yield self.secrets.sealed

    @property
    def size(self) -> int:
        """Bytes of all files beside the manifest."""
        return sum(each.size for each in self.files())

    @property
    def moment(self) -> datetime:
        """The earliest moment of its databases: what was written later may be missing."""
        return min(each.database.moment for each in self.services)

    def of(self, service: str) -> ServiceBackup:
        """Raises BackupUnusable when the service is not in it."""
        for each in self.services:
            if each.service == service:
                return each
        raise BackupUnusable(
            f"the backup {self.name} has no {service}, only: {', '.join(each.service for each in self.services)}"
        )


def read_manifest(text: bytes) -> Manifest:
    """Raises BackupUnusable that names what is wrong."""
    if len(text) > LARGEST_MANIFEST:
        raise BackupUnusable(f"its {MANIFEST} has more than {LARGEST_MANIFEST // 1024**2} MB")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part)[:60] for part in first["loc"]) or "it"
        raise BackupUnusable(f"its {MANIFEST} can't be read: {where}: {first['msg']}") from None


def faults_of(manifest: Manifest, sizes: Mapping[str, int]) -> list[str]:
    """What is wrong with a folder that has plain files of these ``sizes`` in bytes, before any content is read."""
    faults = []
    for each in manifest.files():
        if each.file not in sizes:
            faults.append(f"{each.file} is missing")
        elif sizes[each.file] != each.size:
            faults.append(f"{each.file} has {sizes[each.file]} bytes, not {each.size}")
    return faults


def seconds_lost(moment: datetime, stopped: datetime) -> float:
    """RPO: seconds between the moment that a backup holds and the stop after which nothing was written any more."""
    return max(0.0, (stopped - moment).total_seconds())


def name_of(now: datetime, taken: Iterable[str]) -> str:
    """A name that sorts by time and is not among those ``taken``."""
    first, names = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}", set(taken)
    if first not in names:
        return first
    return next(name for number in range(2, 1000) if (name := f"{first}-{number}") not in names)


def too_many(manifests: Iterable[Manifest], keep: int, *, made: str = "") -> list[Manifest]:
    """Those beyond the newest ``keep`` of the same services, the oldest first: a backup of one service takes nothing
    away from another. The one that was ``made`` last is the newest, whatever clocks said.
    """
    by_services: dict[frozenset[str], list[Manifest]] = {}
    for each in sorted(manifests, key=lambda one: (one.name == made, one.moment, one.name)):
        by_services.setdefault(frozenset(one.service for one in each.services), []).append(each)
    return [each for alike in by_services.values() for each in alike[: max(0, len(alike) - keep)]]
