"""The http process of a service: settings, logs, traces, database, application, server; in that order."""

from flask import Flask
from flask.logging import default_handler
from prometheus_client import REGISTRY

from ..config import load_or_exit
from ..http.server import WebSettings, serve
from ..lifecycle import DrainSignal
from ..service import Service
from ..telemetry import traces
from ..telemetry.health import Health
from ..telemetry.levels import LevelSettings, follow_levels
from ..telemetry.logs import configure_logs
from .building import ResourceSettings, build_resources


class HttpProcessSettings(WebSettings, LevelSettings):
    """Settings of the process; the database's and the issuer's are read where they are used."""


def run_http(declared: Service) -> None:
    """Serves until SIGTERM."""
    settings = load_or_exit(HttpProcessSettings, beside=declared.settings)
    resource_settings = ResourceSettings.of(declared)
    configure_logs(declared.name, process="http", version=settings.service_version, level=settings.log_level)

    closing = DrainSignal(settings.closing_file)

    def build() -> tuple[Flask, Health]:
        traces.configure(declared.name, settings.service_version, settings)
        follow_levels(settings)
        built = build_resources(
            declared,
            resource_settings,
            "http",
            pool_size=settings.http_threads + 2,  # and the wakeup, and the readiness check
            health_of=lambda checks: Health(checks, settings.drain_file),
            closing=closing,
        )
        app = declared.build_app(
            built.resources,
            settings=settings,
            health=built.health,
            version=settings.service_version,
            registry=REGISTRY,
        )
        # An application that was there before may have logged already: its lines would be written twice.
        app.logger.removeHandler(default_handler)
        return app, built.health

    serve(build, settings, closing)
