"""``slipway backup gap``: aggregates that Kafka's topics know with a newer version than the restored database.

The versions are asked for by the service's own mapping, in this process: its module is found as ``slipway run`` finds
it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from pydantic import SecretStr

from slipway_chassis.cli.run import find_service
from slipway_chassis.config import DatabaseSettings
from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.events.gap import Unknown, gap_of

from ..errors import BackupError
from ..runtimes.local.system import Service
from .databases import Databases
from .folder import Found
from .manifest import ServiceBackup
from .progress import marked_by
from .shop import Shop
from .verifying import scratch, whole


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


def _of_service(shop: Shop, found: Found, kept: ServiceBackup, service: Service) -> list[Unknown]:
    settings = shop.kafka(service)
    if settings is None or service.is_folder:
        return []
    try:
        declared = find_service(service.module or service.name)
    except ConfigurationError as error:
        raise BackupError(f"{service.name} does not tell what it publishes: {error}") from None
    if not declared.publishes:
        return []
    declared.prepare_once()
    with _asked(shop, found, kept) as name:
        url = DatabaseSettings(database_url=SecretStr(shop.url(name, service.name))).database_url
        with closing(Database(url, application_name="slipway-backup", pool_size=1)) as database:
            return gap_of(settings, database, declared.publishes, since=kept.database.moment)


@contextmanager
def _asked(shop: Shop, found: Found, kept: ServiceBackup) -> Iterator[str]:
    if marked_by(Databases(shop).mark(kept.service), whole(found).name):
        yield kept.service
    else:
        with scratch(shop, found.path, kept) as name:
            yield name
