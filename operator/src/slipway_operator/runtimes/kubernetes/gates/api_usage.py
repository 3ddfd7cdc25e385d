"""How often each version of an API was called: the two counters of the chassis, taken out of a pod's ``/metrics``.

The pod may answer anything. It is read line by line and all other lines are dropped, whatever there are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from http.client import HTTPException

from .pod_requests import asked

HTTP_CALLS, GRPC_CALLS = "http_api_requests_total", "grpc_server_calls_total"
LARGEST_METRICS = 16 * 1024 * 1024  # bytes that are looked through
LARGEST_USAGE = 1024 * 1024  # bytes of the lines that count
LONGEST_LINE = 64 * 1024
_OK = 200
_COUNTERS = (f"{HTTP_CALLS}{{".encode(), f"{GRPC_CALLS}{{".encode())


def calls_of(address: str) -> Counter[str] | None:
    """By version (``v1``; for gRPC the package). None: the pod did not tell."""
    try:
        with asked(f"{address}/metrics") as (status, chunks):
            lines = list(counted(chunks)) if status == _OK else None
    except (OSError, HTTPException, ValueError):
        return None
    return None if lines is None else calls_in(b"\n".join(lines).decode(errors="replace"))


def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of the counters. Raises ValueError where there is too much to be metrics."""
    size = kept = 0
    for line in _lines(chunks):
        size += len(line) + 1
        if line.startswith(_COUNTERS):
            kept += len(line)
            yield line
        if size > LARGEST_METRICS or kept > LARGEST_USAGE:
            raise ValueError("more than metrics have")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError("a line without an end")
        yield from whole
    yield rest


def calls_in(text: str) -> Counter[str] | None:
    """None: the text can't be read, and so tells nothing."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 # rarely needed

    calls: Counter[str] = Counter()
    try:
        for family in text_string_to_metric_families(f"{text}\n"):
            for sample in family.samples:
                if sample.name == HTTP_CALLS:
                    calls[sample.labels.get("version", "")] += int(sample.value)
                elif sample.name == GRPC_CALLS:
                    # /inventory.v1.InventoryService/Reserve
                    service = sample.labels.get("method", "").strip("/").partition("/")[0]
                    calls[service.rpartition(".")[0]] += int(sample.value)
    except (ValueError, OverflowError):
        return None
    return calls
