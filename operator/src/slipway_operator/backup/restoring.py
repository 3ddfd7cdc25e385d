"""``slipway backup restore``: one service at a time goes back to a backup; the others go on.

Stop on purpose → restore beside the live database → rename → offsets back → rows go on from the versions that others
know → start. Each step looks first whether it is done, so that a restore which was killed is gone on with by the same
command, to the same end.
"""

import fcntl
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_chassis.events.kafka import Committed, Groups
from slipway_chassis.events.ports import Partition

from ..errors import BackupError, NotRunning
from ..runtimes.local.observing import MIGRATIONS
from ..runtimes.local.releasing import Controls
from ..runtimes.local.state import DesiredRelease
from ..runtimes.local.system import Service
from ..runtimes.local.versions import Version
from ..spec.fields import CONSUMING
from ..spec.status import MicroserviceStatus
from .databases import Databases
from .folder import Found, require_checksum
from .gap import go_on, require_published
from .manifest import GroupOffsets, ServiceBackup, seconds_lost
from .progress import Notes, Restore
from .sealing import is_same, put_back
from .shop import Shop
from .verifying import unsealed, whole

POLL_SECONDS = 0.1
STOP_SECONDS = 60.0
READY_SECONDS = 180.0

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """``lost``: RPO, seconds from the backup's moment to the stop. ``away``: RTO, seconds from the stop until the
    service was ready. ``before``: the former database, empty when there was none.
    """

    service: str
    lost: float
    away: float
    before: str


def restore(shop: Shop, found: Found, service: Service, *, passphrase: bytes | None, tell: Tell) -> Restored:
    """Takes the service back to the backup, or goes on with a restore of it that was killed.

    Raises RestoreUnfinished while a restore from another backup is under way, BackupUnusable when the backup is not
    what its manifest says, BackupError when the service does not stop or start, and DependencyUnavailable when
    PostgreSQL or Kafka is away; the same command again goes on.
    """
    manifest = whole(found)
    kept = manifest.of(service.name)
    folder = shop.restores
    require_published(service)
    with _alone(folder / f"{service.name}.lock", service.name):
        require_checksum(found.path, kept.database.dump)
        values = _secrets(shop, found, service, passphrase)
        return _Restoring(shop, found, kept, service, Notes(folder, service.name), tell).run(values)


@contextmanager
def _alone(lock: Path, service: str) -> Iterator[None]:
    with lock.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"another restore of {service} is under way") from None
        yield


@dataclass
class _Restoring:
    shop: Shop
    found: Found
    kept: ServiceBackup
    service: Service
    notes: Notes
    tell: Tell

    def run(self, values: Mapping[str, bytes]) -> Restored:
        """``values``: secrets to be put back, by name."""
        databases = Databases(self.shop)
        now = databases.now()
        noted = self.notes.begun(whole(self.found).name, secrets.token_hex(8), now)
        noted = self._stop(noted, databases)
        self._swap(noted, databases)
        self._set_back()
        self._go_on(noted)
        for name, value in values.items():
            put_back(self.shop.layout.data / "secrets" / name, value)
        self._start()
        return self._ended(noted, databases)

    def _stop(self, noted: Restore, databases: Databases) -> Restore:
        controls = self.shop.controls(self.service.name)
        controls_wait(controls, controls.suspend("All"), self._is_down, STOP_SECONDS, "has processes that do not end")
        groups = self.shop.groups(self.service)
        if groups:
            with closing(groups):
                _wait(
                    lambda: not groups.describe(self.service.group).members, STOP_SECONDS, "its group has members still"
                )
        if noted.stopped is None:
            noted = noted.model_copy(update={"stopped": databases.now()})
            self.notes.write(noted)
        self.tell(self.service.name, "is stopped on purpose: no process of it runs")
        return noted

    def _is_down(self, status: MicroserviceStatus) -> bool:
        return status.suspended == "All" and not self.shop.running(self.service.name)

    def _swap(self, noted: Restore, databases: Databases) -> None:
        live = self.service.name
        if databases.mark(live) == noted.mark:
            self.tell(live, "its database is the restored one already")
            return
        beside = f"{live}_restoring"
        databases.restored(self.kept.database, self.found.path / self.kept.database.dump.file, beside, owner=live)
        rows = sum(self.kept.database.rows.values())
        self.tell(live, f"{rows} rows in {len(self.kept.database.rows)} tables, as they were counted")
        databases.swap(beside, live, before=noted.before, mark=noted.mark)

    def _set_back(self) -> None:
        groups = self.shop.groups(self.service)
        if groups is None:
            return
        with closing(groups):
            wanted = offsets_back(self.kept.offsets, groups.committed(self.service.group), self._ids(groups))
            groups.commit(self.service.group, wanted)
        self.tell(self.service.name, f"reads its events again from where the backup was, in {len(wanted)} partitions")

    def _go_on(self, noted: Restore) -> None:
        """Before the service tells of its rows again: a number that others have seen already would be left out."""
        known = go_on(self.shop, self.found, self.service, noted.mark).aggregates
        behind = sum(one.stored is not None for one in known)
        told = f"{behind} rows go on from the versions that others know, {len(known) - behind} that they know are lost"
        self.tell(self.service.name, told)

    def _ids(self, groups: Groups) -> dict[str, str]:
        topics = {topic for topic, _ in groups.committed(self.service.group)}
        return groups.topic_ids(sorted(topics | set(self.kept.offsets.topics if self.kept.offsets else ())))

    def _start(self) -> None:
        controls = self.shop.controls(self.service.name)

        def started(status: MicroserviceStatus) -> bool:
            version = controls.versions().get(status.active_version)
            migrates = any(name.endswith(MIGRATIONS) for name in self.shop.running(self.service.name))
            return version is not None and not migrates and is_up(version, status)

        controls_wait(controls, controls.suspend("None"), started, READY_SECONDS, "did not get ready")

    def _ended(self, noted: Restore, databases: Databases) -> Restored:
        ready, stopped = databases.now(), noted.stopped or noted.begun
        before = noted.before if databases.exists(noted.before) else ""
        self.notes.remove()
        return Restored(
            self.service.name,
            lost=seconds_lost(self.kept.database.moment, stopped),
            away=(ready - stopped).total_seconds(),
            before=before,
        )


def offsets_back(
    kept: GroupOffsets | None, committed: Mapping[Partition, Committed], ids: Mapping[str, str]
) -> dict[Partition, Committed]:
    """Where the group goes on. A partition of which the backup knows no offset had none then, and begins anew; so does
    one of a topic that was made anew since. What the backup had applied is in the inbox, and is applied no second
    time.
    """
    wanted = {where: Committed(0, ids.get(where[0], "")) for where in committed}
    for topic, known in (kept.topics if kept else {}).items():
        if ids.get(topic) in {known.id, None} or not known.id:
            wanted |= {(topic, number): Committed(offset, known.id) for number, offset in known.offsets.items()}
    return {where: one for where, one in wanted.items() if where[0] in ids}


def is_up(version: Version, status: MicroserviceStatus) -> bool:
    """Whether every process of the active ``version`` is wanted again, and ready."""
    consumers = [each.partition(" ")[0] for each in status.consumers.split(", ")]
    asked = [
        *([status.readiness] if version.serving else []),
        *(consumers if set(CONSUMING) & set(version.workers) else []),
    ]
    counts = [each.partition("/") for each in asked]
    return status.suspended == "None" and all(ready == wanted != "0" and wanted for ready, _, wanted in counts)


def controls_wait(
    controls: Controls, wish: DesiredRelease, until: Callable[[MicroserviceStatus], bool], seconds: float, what: str
) -> None:
    """Until ``slipway up`` has seen the wish and its status says ``until``; BackupError after ``seconds``."""
    name = controls.service.name

    def done() -> bool:
        if not controls.layout.is_locked():
            raise NotRunning(
                f"slipway up on {controls.layout.data} has ended; start it, then run the same command again"
            )
        status = controls.status()
        return status.observed_generation >= wish.generation and until(status)

    _wait(done, seconds, f"{name} {what}: slipway status {name} says more; then run the same command again")


def _wait(done: Callable[[], bool], seconds: float, what: str) -> None:
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            raise BackupError(f"after {seconds:.0f} s, {what}")
        time.sleep(POLL_SECONDS)


def _secrets(shop: Shop, found: Found, service: Service, passphrase: bytes | None) -> dict[str, bytes]:
    """Those of the service that are to be put back: nothing where the ones that are there are the same. BackupError
    when one is another, and the backup can't give it.
    """
    manifest = whole(found)
    known = {name: one for name, one in manifest.secrets.fingerprints.items() if name.startswith(f"{service.name}-")}
    there = shop.secrets_of(service.name)
    other = [name for name, one in known.items() if name not in there or not is_same(there[name].read_bytes(), one)]
    if not other:
        return {}
    if manifest.secrets.sealed is None:
        raise BackupError(
            f"{', '.join(other)} is another secret than that of the backup, which has none: what it encrypted "
            "could not be read. Put the former one back into the folder secrets of the data"
        )
    if passphrase is None:
        raise BackupError(f"{', '.join(other)} is another secret than that of the backup: name --passphrase-file")
    opened = unsealed(found, passphrase)
    return {name: opened[name] for name in other if name in opened and is_same(opened[name], known[name])}
