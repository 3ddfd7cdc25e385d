"""Calls to other services over HTTP: bounded in time and size, guarded, with trace and deadline passed on.

>>> from slipway_chassis.http.client import HttpClient
>>> inventory = HttpClient("inventory", "http://127.0.0.1:1", connect_timeout=0.1)
>>> inventory.get("/v1/items/7")
Traceback (most recent call last):
...
slipway_chassis.errors.UpstreamUnavailable: inventory: NewConnectionError
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from prometheus_client import Counter, Histogram

from .. import deadline
from ..bounded_read import read_within
from ..errors import DeadlineExceeded, UnusableAnswer, UpstreamUnavailable
from ..outgoing import pool_for
from ..resilience import Guard
from ..telemetry.correlation import outgoing_headers, span

ANSWERS = Counter("http_client_requests_total", "Calls to other services", ["name", "outcome"])
SECONDS = Histogram("http_client_seconds", "Duration of calls to other services, in seconds", ["name"])

# "A request with this Idempotency-Key is being worked on": so often it is asked again for its answer.
QUESTIONS = 5
LONGEST_PAUSE = 5.0
# The other side can't answer now; another try may find it able to.
AWAY = {502, 503, 504}
SAFE = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` as it came, at most the client's ``largest_body`` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; UnusableAnswer when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnusableAnswer(f"the answer is not JSON: {error}") from error


class HttpClient:
    """One per service that is called. An error status is an answer; UpstreamUnavailable is raised when there
    is none, or a 502, 503 or 504. GET, PUT, DELETE and what carries an Idempotency-Key are tried again. While the first
    try of a key is being worked on (409 with Retry-After), its answer is waited for, as long as the deadline allows.

    Attributes:
        name: of the service, in metrics, traces and errors.
        base_url: what paths are appended to.
        timeout: seconds for one try, answer included; less where the caller's deadline ends before.
        connect_timeout: seconds of it for connecting.
        largest_body: bytes of an answer; UnusableAnswer for more.
        connections: that are kept for further requests; there may be more at a time.
        guard: breaker, retry and bulkhead; one with their defaults where none is given.
        sleep: for tests.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout: float = 2.0,
        connect_timeout: float = 1.0,
        largest_body: int = 10 * 1024 * 1024,
        connections: int = 32,
        guard: Guard | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._sleep = sleep
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._largest = largest_body
        self.guard = guard or Guard(name)
        self._pool = pool_for(base_url, retries=False, maxsize=connections, block=False)

    def get(self, path: str, *, headers: Mapping[str, str] = {}) -> Answer:
        """``request`` with GET."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: object, *, headers: Mapping[str, str] = {}) -> Answer:
        """``request`` with POST and a JSON body. It is tried again only with an Idempotency-Key among ``headers``."""
        return self.request("POST", path, body=body, headers=headers)

    def request(
        self, method: str, path: str, *, body: object = None, headers: Mapping[str, str] = {}, timeout: float = 0
    ) -> Answer:
        """The answer. ``body`` is sent as JSON; ``timeout`` in seconds covers one try, answer included."""
        sent = dict(headers)
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        by_key = any(name.lower() == "idempotency-key" for name in sent)

        def guarded() -> Answer:
            return self.guard.call(
                lambda: self._once(method, path, content, sent, timeout or self._timeout),
                safe_to_repeat=method in SAFE or by_key,
            )

        with span(f"{method} {self.name}", kind="client") as current:
            answer = self._finished(guarded) if by_key else guarded()
            current.put("http.response.status_code", answer.status)
            return answer

    def _finished(self, ask: Callable[[], Answer]) -> Answer:
        """The answer of the request that has the key, which may be a former try of this one."""
        for _ in range(QUESTIONS):
            answer = ask()
            pause = _under_way(answer)
            if pause is None:
                return answer
            left = deadline.remaining()
            if left is not None and left <= pause:
                break
            self._sleep(pause)
        raise UpstreamUnavailable(f"{self.name} is still working on the request: whether it took effect is not known")

    def _once(self, method: str, path: str, content: bytes | None, headers: dict[str, str], seconds: float) -> Answer:
        try:
            limit = deadline.timeout(seconds)
        except DeadlineExceeded:
            ANSWERS.labels(self.name, "deadline").inc()
            raise
        began = time.monotonic()
        sent = headers | outgoing_headers()
        if (end := deadline.current()) is not None:
            sent[deadline.HEADER] = f"{end:.3f}"
        try:
            with SECONDS.labels(self.name).time():
                answer = self._pool.request(
                    method,
                    self._base + path,
                    body=content,
                    headers=sent,
                    timeout=urllib3.Timeout(connect=min(limit, self._connect_timeout), total=limit),
                    redirect=False,
                    preload_content=False,
                )
                left = max(0.0, began + limit - time.monotonic())
                read = read_within(answer, most=self._largest + 1, seconds=left)
                # A connection whose answer was not read to its end can't serve another request.
                answer.release_conn() if len(read) <= self._largest else answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            ANSWERS.labels(self.name, "unreachable").inc()
            deadline.refuse_if_over(given=limit, usual=seconds)
            raise UpstreamUnavailable(f"{self.name}: {type(error).__name__}") from error
        ANSWERS.labels(self.name, f"{answer.status // 100}xx").inc()
        if answer.status in AWAY:
            raise UpstreamUnavailable(f"{self.name} answered {answer.status}")
        if len(read) > self._largest:
            raise UnusableAnswer(f"{self.name} answered with more than {self._largest} bytes")
        return Answer(answer.status, answer.headers, read)

    def close(self) -> None:
        """Closes the connections that wait for a request."""
        self._pool.clear()


def _under_way(answer: Answer) -> float | None:
    """The seconds to wait before the answer is asked for again; None where this is the answer."""
    retry_after = answer.headers.get("Retry-After")
    if answer.status != HTTPStatus.CONFLICT or retry_after is None:
        return None
    return min(float(retry_after), LONGEST_PAUSE) if retry_after.isdecimal() and retry_after.isascii() else 1.0
