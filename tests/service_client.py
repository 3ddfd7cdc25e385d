"""A service's Flask application on a real, migrated database, for tests of its API."""

from pydantic import SecretStr

from slipway_chassis.config import HttpSettings
from slipway_chassis.database import Database, Schema
from slipway_chassis.http.app import create_app
from slipway_chassis.telemetry.health import Health


def migrated(database, package):
    Schema(database, package).upgrade()
    return database


def client_of(package, database, routes, problems):
    return create_app(
        package, settings=HttpSettings(), health=Health({}), routes=routes(database), problems=problems
    ).test_client()


def psycopg_url(url):
    return SecretStr(url.replace("postgresql://", "postgresql+psycopg://"))


__all__ = ["Database", "client_of", "migrated", "psycopg_url"]
