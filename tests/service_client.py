"""A service's Flask application on a real, migrated database, for tests of its API."""

from prometheus_client import CollectorRegistry

from slipway_chassis.config import HttpSettings
from slipway_chassis.database import Schema
from slipway_chassis.http.app import create_app
from slipway_chassis.telemetry.health import Health

_prepared = set()


def prepare_once(prepare):
    """Maps a service's domain: once per process, however many tests ask."""
    if prepare not in _prepared:
        _prepared.add(prepare)
        prepare()


def client_of(package, database, routes, problems):
    """A test client; metrics go to a registry of their own."""
    Schema(database, package).upgrade()
    return create_app(
        package,
        settings=HttpSettings(),
        health=Health({}),
        routes=routes(database),
        problems=problems,
        registry=CollectorRegistry(),
    ).test_client()
