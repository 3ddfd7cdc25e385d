"""What arrived at a service, as Envoy counts it: requests of all, and connections of other services."""

import re
import urllib.request
from collections.abc import Mapping

from ..errors import LessonFailed

ASK_SECONDS = 5
LARGEST_PAGE = 16 * 1024 * 1024
_LINE = re.compile(r"^(\w+)\{([^}]*)\} (\d+)$", re.MULTILINE)
_REACHED, _OPENED = "envoy_cluster_upstream_rq_total", "envoy_http_downstream_cx_total"


def arrivals(admin: int, service: str) -> Mapping[str, int]:
    """Since Envoy began: ``reached`` and ``opened``. ``admin``: the port of its admin page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/stats/prometheus", timeout=ASK_SECONDS) as answer:
            page = answer.read(LARGEST_PAGE).decode()
    except OSError as error:
        raise LessonFailed(f"the gateway's admin page on port {admin} gave no answer: {error}") from None
    return counted(page, service)


def counted(page: str, service: str) -> Mapping[str, int]:
    """Of a page of Prometheus text. LessonFailed where it has nothing of the service: that would look like 0."""
    inner = {f"inner-{service}-http", f"inner-{service}-grpc"}
    found = {"reached": 0, "opened": 0}
    for name, labels, number in _LINE.findall(page):
        values = set(re.findall(r'="([^"]*)"', labels))
        if name == _REACHED and values & (inner | {service}):
            found["reached"] += int(number)
        elif name == _OPENED and values & inner:
            found["opened"] += int(number)
    if f'"{service}"' not in page and not any(name in page for name in inner):
        raise LessonFailed(f"Envoy counts nothing of {service}")
    return found
