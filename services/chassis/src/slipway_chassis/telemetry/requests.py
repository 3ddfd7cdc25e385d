"""Metrics of HTTP requests, under the names of prometheus-flask-exporter, so that its dashboards fit.

The exporter's own hooks cost as much as a small view; here a request costs two dictionary look-ups. The
series are bounded: by route, known method and status, never by path.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

UNKNOWN_ROUTE = "None"  # the exporter's word for paths without a route


class RequestMetrics:
    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._service = service
        self._duration = Histogram(
            "flask_http_request_duration_seconds",
            "Flask HTTP request duration in seconds",
            ("method", "url_rule", "status", "service"),
            registry=registry,
        )
        self._total = Counter(
            "flask_http_request_total",
            "Total number of HTTP requests",
            ("method", "status", "service"),
            registry=registry,
        )
        # Without a series of errors a service that has none looks like one that nobody measures.
        self._total.labels("GET", "500", service)
        self._series: dict[tuple[str, str, str], tuple[Histogram, Counter]] = {}

    def observe(self, method: str, rule: str, status: str, seconds: float) -> None:
        """``rule`` is the route (``/v1/orders/<id>``), empty where none fits; ``status`` its three digits."""
        key = (method, rule, status)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = (
                self._duration.labels(method, rule or UNKNOWN_ROUTE, status, self._service),
                self._total.labels(method, status, self._service),
            )
        found[0].observe(seconds)
        found[1].inc()
