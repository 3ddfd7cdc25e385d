"""The processes of a service: ``http``, ``grpc``, ``relay``, ``consumer``, ``worker`` and ``migrate``."""

from ..errors import ConfigurationError
from ..service import Service


def run(service: Service, process: str) -> None:
    """Runs one process of ``service`` until SIGTERM; ``migrate`` until the schema is up to date.

    What the process needs and can't reach yet (PostgreSQL, Kafka) it waits for. Raises ConfigurationError when the
    service has no such process, or needs an issuer and none is configured; a setting that is missing or wrong is told
    in one sentence and ends the process with code 1.
    """
    runnable = _runnable(service)
    if process not in runnable:
        raise ConfigurationError(f"{service.name} has no process {process!r}, only: {', '.join(runnable)}")
    service.prepare_once()
    # Imported when needed: the process that answers HTTP carries no Kafka client, only the grpc process gRPC.
    if process == "http":
        from .http import run_http  # noqa: PLC0415

        run_http(service)
    elif process == "grpc":
        from .grpc import run_grpc  # noqa: PLC0415

        run_grpc(service)
    else:
        from . import workers  # noqa: PLC0415

        start = {
            "relay": workers.run_relay,
            "consumer": workers.run_consumer,
            "worker": workers.run_worker,
            "migrate": workers.run_migrate,
        }
        start[process](service)


def _runnable(service: Service) -> list[str]:
    return [*service.processes(), *(["worker"] if service.publishes or service.consumes else [])]
