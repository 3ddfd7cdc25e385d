"""The http process of a service: settings, logs, traces, database, application, server; in that order."""

from flask import Flask
from prometheus_client import REGISTRY

from ..config import TraceSettings, load_or_exit
from ..http.server import WebSettings, serve
from ..lifecycle import Closing
from ..service import Service
from ..telemetry import traces
from ..telemetry.health import Health
from ..telemetry.logs import configure_logs
from .building import GroundSettings, ground_of


class HttpProcessSettings(WebSettings, TraceSettings):
    """Settings of the process; the database's and the issuer's are read where they are used."""


def run_http(declared: Service) -> None:
    """Serves until SIGTERM."""
    settings = load_or_exit(HttpProcessSettings)
    ground_settings = GroundSettings.of(declared)
    configure_logs(declared.name, process="http", version=settings.service_version, level=settings.log_level)

    closing = Closing(settings.closing_file)

    def build() -> tuple[Flask, Health]:
        traces.configure(declared.name, settings.service_version, settings)
        ground = ground_of(
            declared,
            ground_settings,
            "http",
            pool_size=settings.http_threads + 2,  # and the nudge, and the readiness check
            health_of=lambda checks: Health(checks, settings.drain_file),
            closing=closing,
        )
        app = declared.app(
            ground.standing,
            settings=settings,
            health=ground.health,
            version=settings.service_version,
            registry=REGISTRY,
        )
        return app, ground.health

    serve(build, settings, closing)
