"""One service of a cluster, which a pod with the settings of the service's own processes backs up and restores.

A backup is tried in a PostgreSQL of this pod, so that nothing is asked of the live server but to be read. A restore
fills the database in place, by the role of the service, which may make no other one.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field, SecretStr

from slipway_chassis.config import DatabaseSettings, KafkaSettings, load
from slipway_chassis.embedded import postgresql
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.errors import DependencyUnavailable
from slipway_chassis.events.kafka import Groups

from ..errors import BackupError
from ..runtimes.local.system import Service
from .config import without_libpq_settings
from .creating import Tell
from .databases import SUPERUSER, Databases
from .folder import Found, require_checksum
from .refilling import Refill
from .restoring import offsets_back
from .sealing import is_same
from .trying import try_on
from .verifying import require_files, whole

POLL_SECONDS = 1.0


class PodSettings(DatabaseSettings):
    """The service's database, as the service's chart gives it to a pod."""

    pguser: str = Field(default="", description="the role, where DATABASE_URL names none")
    pgpassword: SecretStr = Field(default=SecretStr(""), description="its password")
    pgsslmode: str = Field(default="", description="as libpq takes it")
    pgsslrootcert: str = Field(default="", description="file with the authority of the server's certificate")

    @property
    def conninfo(self) -> str:
        """As libpq takes it, with the password; what the URL says wins."""
        beside = {
            "user": self.pguser,
            "password": self.pgpassword.get_secret_value(),
            "sslmode": self.pgsslmode,
            "sslrootcert": self.pgsslrootcert,
        }
        url = self.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
        return make_conninfo("", **{name: said for name, said in beside.items() if said} | conninfo_to_dict(url))


@dataclass(frozen=True)
class Pod:
    """``kafka``: None for a service that reads no events. ``secrets``: a folder with files SERVICE-NAME."""

    service: Service
    group: str
    database: PodSettings
    kafka: KafkaSettings | None = None
    secrets: Path | None = None

    def chosen(self, _names: Sequence[str], /) -> list[Service]:
        return [self.service]

    def url(self, _database: str, _role: str = SUPERUSER, /) -> str:
        """Of the one database that is known here, by the one role."""
        return self.database.conninfo

    def groups(self, _service: Service | None = None, /) -> Groups | None:
        return Groups(self.kafka) if self.kafka else None

    def group_of(self, _service: Service, /) -> str:
        return self.group

    def version(self, _service: str, /) -> str:
        """The backup's pod is none of a version: the releases of a cluster are in its objects."""
        return ""

    def releases_of(self, _service: str, /) -> Mapping[str, Path]:
        return {}

    def secrets_of(self, service: str, /) -> Mapping[str, Path]:
        """BackupError for a folder without any: what was meant to be kept would be missed when it is needed."""
        # A volume of Secrets has links, of Kubernetes' own.
        found = sorted(self.secrets.glob(f"{service}-*")) if self.secrets else []
        if self.secrets and not any(file.is_file() for file in found):
            raise BackupError(f"{self.secrets} has no file {service}-NAME: nothing of it would be kept or compared")
        return {file.name: file for file in found if file.is_file()}


def wait_for(pod: Pod, seconds: float) -> None:
    """Until PostgreSQL and Kafka answer: a pod that was started now may not be let through yet, since policies come
    into force after it. After ``seconds`` the DependencyUnavailable of the last try.
    """
    ends = time.monotonic() + seconds
    while True:
        try:
            return _ask(pod)
        except DependencyUnavailable:
            if time.monotonic() > ends:
                raise
        time.sleep(POLL_SECONDS)


def _ask(pod: Pod) -> None:
    Databases(pod).now()
    if groups := pod.groups():
        with closing(groups):
            groups.committed(pod.group)


@contextmanager
def _server() -> Iterator[postgresql.PostgreSQL]:
    """For the block, with its data in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="slipway-scratch-") as folder:
        Path(folder).chmod(0o755)  # what is in it is for PostgreSQL's user alone
        with without_libpq_settings():
            server = postgresql.start(Path(folder) / "postgresql", port=free_port(), durable=False)
            try:
                yield server
            finally:
                server.child.stop()


def verify_here(found: Found, *, tell: Tell) -> None:
    """Compares checksums, and restores each dump into a PostgreSQL that is started for it. BackupUnusable that names
    what is wrong.
    """
    require_files(found, tell=tell)
    with _server() as server:
        for kept in whole(found).services:
            try_on(server, kept.database, found.path / kept.database.dump.file, kept.service)
            rows = sum(kept.database.rows.values())
            tell(kept.service, f"restored into a scratch server: {rows} rows in {len(kept.database.rows)} tables")


def group_back(pod: Pod, found: Found) -> Pod:
    """The pod with the group whose offsets the backup has; BackupError where another one was named."""
    kept = whole(found).of(pod.service.name).offsets
    if kept is None or kept.group == pod.group:
        return pod
    if pod.group:
        raise BackupError(
            f"the backup has the offsets of the group {kept.group}, not of {pod.group}: name that one, or none"
        )
    return replace(pod, group=kept.group, kafka=load(KafkaSettings))


def restore_here(pod: Pod, found: Found, *, trial: bool, tell: Tell) -> None:
    """Takes the database and the group's offsets back, of a service that is stopped. Killed in the middle, the same
    call goes on. ``trial``: whether the backup is restored here first.

    Raises BackupError while one of its secrets is another than that of the backup, processes of the service are
    connected, or its group has members, and where objects of others are in the way; BackupUnusable for a backup that
    can't be restored; DependencyUnavailable when PostgreSQL or Kafka is away. The database is unchanged then, but for
    members and Kafka after it was filled, which the message tells.
    """
    kept, name = whole(found).of(pod.service.name), pod.service.name
    file = found.path / kept.database.dump.file
    require_checksum(found.path, kept.database.dump)
    _require_secrets(pod, found)
    _require_nobody(pod)
    refill = Refill(pod.database.conninfo, kept.database, file)
    refill.require()
    if trial:
        verify_here(found, tell=tell)
    refill.run()
    tell(name, f"{sum(kept.database.rows.values())} rows in {len(kept.database.rows)} tables, as they were counted")
    groups = pod.groups()
    if groups is None:
        return
    _require_nobody(pod, before="the database is restored, the offsets are not: ")
    with closing(groups):
        committed = groups.committed(pod.group)
        topics = {topic for topic, _ in committed} | set(kept.offsets.topics if kept.offsets else ())
        wanted = offsets_back(kept.offsets, committed, groups.topic_ids(sorted(topics)))
        groups.commit(pod.group, wanted)
    tell(name, f"reads its events again from where the backup was, in {len(wanted)} partitions")


def _require_secrets(pod: Pod, found: Found) -> None:
    there = pod.secrets_of(pod.service.name)
    for name, known in whole(found).secrets.fingerprints.items():
        if name.startswith(f"{pod.service.name}-") and not (name in there and is_same(there[name].read_bytes(), known)):
            raise BackupError(
                f"{name} is another secret than that of the backup, or is not in the folder of --secrets: what it "
                "encrypted could not be read. slipway backup unseal gives the former one"
            )


def _require_nobody(pod: Pod, before: str = "") -> None:
    groups = pod.groups()
    if groups is None:
        return
    with closing(groups):
        if members := groups.describe(pod.group).members:
            raise BackupError(
                f"{before}the group {pod.group} has {len(members)} members: stop the service on purpose "
                "(spec.suspend: All, or no replicas), then run the same command again"
            )
