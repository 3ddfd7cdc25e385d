"""``slipway backup gap`` and ``reconcile``: aggregates that Kafka's topics know with a newer version than a restored
database.

The versions are asked for by the service's own mapping, in this process: its module is found as ``slipway run`` finds
it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from slipway_chassis.cli.run import find_service
from slipway_chassis.config import DatabaseSettings
from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.events.gap import Unknown, gap_of, go_on_from
from slipway_chassis.service import Service as Declared

from ..errors import BackupError
from ..runtimes.local.system import Service
from .databases import Databases
from .folder import Found
from .manifest import ServiceBackup
from .progress import marked_by
from .shop import Shop
from .verifying import scratch, whole


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A service, how many of its rows were behind, and the aggregates of which it has none."""

    service: str
    behind: int
    missing: Sequence[Unknown]


def gap(shop: Shop, found: Found, names: Sequence[str]) -> list[tuple[str, Unknown]]:
    """Of each service that publishes events. Where the service's database was restored from this backup, that one is
    asked; else a scratch database, which shows what a restore would not know. BackupError for a service that is not in
    the backup; DependencyUnavailable when PostgreSQL or Kafka is away.
    """
    manifest = whole(found)
    chosen = shop.chosen(names or [each.service for each in manifest.services])
    return [
        (service.name, unknown)
        for service in chosen
        for unknown in _of_service(shop, found, manifest.of(service.name), service)
    ]


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
        declared = _declared(service) if unknown else None
        behind = 0
        if declared:
            with _database(shop, service.name, service.name) as database:
                behind = go_on_from(database, declared.publishes, unknown)
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
