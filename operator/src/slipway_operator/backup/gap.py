"""``slipway backup gap`` and ``reconcile``: aggregates that Kafka's topics know with a newer version than a restored
database.

The versions are asked for by the service's own mapping, in this process: its module is found as ``slipway run`` finds
it. A restore keeps the list that it found while the service was stopped: rows go on from there, and the gap is seen no
more.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from slipway_chassis.cli.run import find_service
from slipway_chassis.config import DatabaseSettings
from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.events.gap import Unknown, gap_of, go_on_from
from slipway_chassis.service import Service as Declared

from ..errors import BackupError
from ..runtimes.local.state import replace_file
from ..runtimes.local.system import Service
from .databases import Databases
from .folder import Found
from .manifest import ServiceBackup
from .progress import marked_by
from .shop import Shop
from .verifying import scratch, whole


class Gap(BaseModel):
    """What others knew when a database was restored; ``mark``: of that restore."""

    model_config = ConfigDict(frozen=True)

    mark: str
    aggregates: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A service, how many of its rows were behind, and the aggregates of which it has none."""

    service: str
    behind: int
    missing: Sequence[Unknown]


def gap(shop: Shop, found: Found, names: Sequence[str]) -> list[tuple[str, Unknown]]:
    """Of each service that publishes events. Of one that was restored from this backup: as it was then; of another one
    a scratch database is asked, which shows what a restore would not know. BackupError for a service that is not in
    the backup; DependencyUnavailable when PostgreSQL or Kafka is away.
    """
    manifest = whole(found)
    chosen = shop.chosen(names or [each.service for each in manifest.services])
    return [
        (service.name, unknown)
        for service in chosen
        for unknown in _noted_or_found(shop, found, manifest.of(service.name), service)
    ]


def _noted_or_found(shop: Shop, found: Found, kept: ServiceBackup, service: Service) -> Sequence[Unknown]:
    mark = Databases(shop).mark(service.name)
    noted = _noted(shop, service.name, mark) if marked_by(mark, whole(found).name) else None
    return noted.aggregates if noted else _of_service(shop, found, kept, service)


def go_on(shop: Shop, found: Found, service: Service, mark: str) -> Gap:
    """Of a service that is stopped, and whose database was restored: notes what others know of its aggregates, and
    gives rows that are behind that version, before the service tells of them again. Done again it changes nothing.
    """
    noted = _noted(shop, service.name, mark)
    if noted is None:
        unknown = _of_service(shop, found, whole(found).of(service.name), service)
        noted = Gap(mark=mark, aggregates=tuple(unknown))
        replace_file(_file(shop, service.name), noted.model_dump_json(indent=1))
    _raise(shop, service, noted.aggregates)
    return noted


def require_published(service: Service) -> None:
    """BackupError when the service can't be asked what it publishes: better before it is stopped."""
    if not service.is_folder:
        _declared(service)


def _file(shop: Shop, service: str) -> Path:
    return shop.restores / f"{service}.gap.json"


def _noted(shop: Shop, service: str, mark: str) -> Gap | None:
    """None: of this restore none was noted."""
    try:
        noted = Gap.model_validate_json(_file(shop, service).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return noted if noted.mark == mark else None


def _raise(shop: Shop, service: Service, unknown: Sequence[Unknown]) -> int:
    declared = _declared(service) if unknown else None
    if declared is None:
        return 0
    with _database(shop, service.name, service.name) as database:
        return go_on_from(database, declared.publishes, unknown)


def reconcile(shop: Shop, found: Found, names: Sequence[str]) -> list[Reconciled]:
    """Gives aggregates that are behind, of services that were restored from this backup, the version that others have
    seen; errors as of ``gap``, and BackupError for a service that was not restored from it.
    """
    manifest = whole(found)
    done = []
    for service in shop.chosen(names or [each.service for each in manifest.services]):
        kept = manifest.of(service.name)
        if not marked_by(Databases(shop).mark(service.name), manifest.name):
            raise BackupError(f"{service.name} was not restored from {manifest.name}: there is nothing to reconcile")
        unknown = _of_service(shop, found, kept, service)
        behind = _raise(shop, service, unknown)
        done.append(Reconciled(service.name, behind, [one for one in unknown if one.stored is None]))
    return done


def _of_service(shop: Shop, found: Found, kept: ServiceBackup, service: Service) -> list[Unknown]:
    settings = shop.kafka(service)
    declared = _declared(service) if settings and not service.is_folder else None
    if settings is None or declared is None:
        return []
    with _asked(shop, found, kept) as name, _database(shop, name, service.name) as database:
        return gap_of(settings, database, declared.publishes, since=kept.database.moment)


def _declared(service: Service) -> Declared | None:
    """What it publishes; None where that is nothing."""
    try:
        declared = find_service(service.module or service.name)
    except ConfigurationError as error:
        raise BackupError(f"{service.name} does not tell what it publishes: {error}") from None
    if not declared.publishes:
        return None
    declared.prepare_once()
    return declared


@contextmanager
def _database(shop: Shop, name: str, role: str) -> Iterator[Database]:
    url = DatabaseSettings(database_url=SecretStr(shop.url(name, role))).database_url
    with closing(Database(url, application_name="slipway-backup", pool_size=1)) as database:
        yield database


@contextmanager
def _asked(shop: Shop, found: Found, kept: ServiceBackup) -> Iterator[str]:
    if marked_by(Databases(shop).mark(kept.service), whole(found).name):
        yield kept.service
    else:
        with scratch(shop, found.path, kept) as name:
            yield name
