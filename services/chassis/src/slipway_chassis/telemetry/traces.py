"""Traces with OpenTelemetry, exported by OTLP over HTTP.

The SDK makes a thread that exports in batches; so ``configure`` runs after gunicorn's fork, in the
worker. Sampling is decided where a trace begins (``TRACE_SAMPLE_RATIO``) and followed by everyone after.
"""

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.span import TraceFlags

from ..config import TraceSettings
from . import correlation

_KINDS = {kind.name.lower(): kind for kind in SpanKind}


class _Recording:
    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def put(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def end(self, *, error: BaseException | None) -> None:
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._span.end()


class OpenTelemetryRecorder:
    """Records every span it is asked for; ``ratio`` is the share of new traces that ask."""

    def __init__(self, *, service: str, version: str, exporter: SpanExporter, ratio: float) -> None:
        self.ratio = ratio
        resource = Resource({"service.name": service, "service.version": version})
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("slipway_chassis")

    def begin(self, name: str, kind: str, parent: str | None) -> _Recording:
        context = _context_of(parent) if parent else Context()
        return _Recording(self._tracer.start_span(name, context, _KINDS[kind]))

    def close(self) -> None:
        """Exports what is left, waiting a few seconds at most."""
        self._provider.shutdown()


def _context_of(traceparent: str) -> Context:
    _, trace_id, span_id, _ = traceparent.split("-")
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def configure(service: str, version: str, settings: TraceSettings) -> OpenTelemetryRecorder | None:
    """Exports to ``OTEL_EXPORTER_OTLP_ENDPOINT``; without one nothing is recorded and ids still travel."""
    correlation.reseed()
    if not settings.otel_exporter_otlp_endpoint:
        return None
    # Imported here: it loads protobuf and requests, which processes without an endpoint need not carry.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    exporter = OTLPSpanExporter(f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
    recorder = OpenTelemetryRecorder(
        service=service, version=version, exporter=exporter, ratio=settings.trace_sample_ratio
    )
    correlation.record_with(recorder)
    return recorder
