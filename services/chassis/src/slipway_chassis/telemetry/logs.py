"""One line of JSON per event on standard output, with the keys of the Elastic Common Schema."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from .correlation import current_request_id, current_traceparent

ECS_VERSION = "8.17"


class _Correlation(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        traceparent = current_traceparent()
        if traceparent:
            setattr(record, "trace.id", traceparent.split("-")[1])
        request_id = current_request_id()
        if request_id:
            setattr(record, "http.request.id", request_id)
        return True


class _EcsFormatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, object]) -> dict[str, object]:
        log_data["log.level"] = str(log_data.get("log.level", "")).lower()
        return log_data


def configure_logs(service: str, *, process: str, version: str, level: str) -> None:
    """Routes every logger to standard output. Call once, first thing in a process."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        _EcsFormatter(
            "{levelname}{name}{message}",
            style="{",
            timestamp="@timestamp",
            rename_fields={"levelname": "log.level", "name": "log.logger", "exc_info": "error.stack_trace"},
            static_fields={
                "ecs.version": ECS_VERSION,
                "service.name": service,
                "service.version": version,
                "process.title": process,
            },
        )
    )
    handler.addFilter(_Correlation())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Their INFO is about every connection and every migration step of others.
    for noisy in ("kafka", "alembic", "werkzeug"):
        logging.getLogger(noisy).setLevel("WARNING")
