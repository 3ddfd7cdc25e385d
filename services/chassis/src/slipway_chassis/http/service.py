"""The HTTP process of a service: settings, logs, database, health, application, server; wired in one call."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Flask

from ..config import DatabaseSettings
from ..database import Database, Schema
from ..telemetry.health import Health
from ..telemetry.logs import configure_logs
from .app import create_app
from .server import WebSettings, run


class HttpServiceSettings(WebSettings, DatabaseSettings):
    """Settings of a service's HTTP process."""


def run_http(
    service: str,
    settings: HttpServiceSettings,
    *,
    routes: Callable[[Database], Blueprint],
    problems: Mapping[type[Exception], int],
) -> None:
    """Serves ``routes`` until SIGTERM. ``problems`` maps the service's own errors to HTTP statuses."""
    configure_logs(service, process="http", version=settings.service_version, level=settings.log_level)

    def build() -> tuple[Flask, Health]:
        database = Database(
            settings.database_url, application_name=f"{service}-http", pool_size=settings.http_threads + 1
        )
        schema = Schema(database, service)
        health = Health({"postgresql": schema.usable}, settings.drain_file)
        app = create_app(service, settings=settings, health=health, routes=routes(database), problems=problems)
        return app, health

    run(build, settings)
