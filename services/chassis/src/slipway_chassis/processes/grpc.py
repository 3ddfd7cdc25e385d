"""The grpc process of a service: like the http process, with a drain of its own."""

import logging
import sys

from ..certificates import TlsSettings
from ..config import GrpcSettings, load_or_exit
from ..errors import ConfigurationError
from ..grpc.server import GrpcServer
from ..lifecycle import DrainSignal, Stop
from ..service import Service
from ..telemetry import traces
from ..telemetry.admin import serve_admin
from ..telemetry.health import Health
from ..telemetry.levels import LevelSettings, follow_levels
from ..telemetry.logs import configure_logs
from .building import ResourceSettings, build_resources

log = logging.getLogger(__name__)
WATCH_SECONDS = 1.0


class GrpcProcessSettings(GrpcSettings, LevelSettings, TlsSettings):
    """Settings of the process; the database's and the issuer's are read where they are used."""


def run_grpc(declared: Service) -> None:
    """Serves until SIGTERM: then not ready, no new calls, those in flight finish."""
    settings = load_or_exit(GrpcProcessSettings, beside=declared.settings)
    resource_settings = ResourceSettings.of(declared)
    configure_logs(declared.name, process="grpc", version=settings.service_version, level=settings.log_level)
    recorder = traces.configure(declared.name, settings.service_version, settings)
    follow_levels(settings)
    stop = Stop().install()
    built = build_resources(
        declared,
        resource_settings,
        "grpc",
        pool_size=settings.grpc_threads + 2,
        health_of=lambda checks: Health(checks, settings.drain_file),
        closing=DrainSignal(settings.closing_file),
    )
    built.health.drain_when(lambda: stop.requested)
    serve_admin(settings.bind_host, settings.admin_port, built.health)
    server = GrpcServer(declared.grpc, built.resources, settings=settings, tls=settings, problems=declared.problems)
    try:
        port = server.start(settings.bind_host, settings.grpc_port)
    except ConfigurationError as error:
        sys.exit(f"error: {error}")
    log.info("serving gRPC on port %d, health and metrics on %d", port, settings.admin_port)
    while not stop.wait(WATCH_SECONDS):
        server.serving(ready=built.health.readiness()[0])
    server.drain(settings.graceful_timeout)
    if recorder:
        recorder.close()
    log.info("grpc stopped")
