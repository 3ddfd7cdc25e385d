"""Calls to other services over gRPC: balanced over all pods, guarded, with trace and deadline passed on.

    channel = guarded_channel("inventory", "inventory-headless:8001", repeatable={"Query"})
    stub = inventory_pb2_grpc.InventoryStub(channel)

A ClusterIP Service balances connections, and gRPC has one for all calls; so the target is a headless
Service, whose name stands for every pod.
"""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import grpc

from .. import deadline
from ..certificates import TlsSettings
from ..config import load
from ..errors import UpstreamUnavailable
from ..resilience import Guard
from ..telemetry.correlation import outgoing_headers, span
from .credentials import RenewedChannel, calling

AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
# Pods come and go, and versions take over: with each new connection the name is asked again, once a second at most.
# The default of 30 s is a long time to call a dead one.
RESOLVE_AGAIN_MS = 1_000


def guarded_channel(
    name: str,
    target: str,
    *,
    timeout: float = 2.0,
    repeatable: Collection[str] = (),
    guard: Guard | None = None,
) -> grpc.Channel:
    """A channel whose calls time out after ``timeout`` seconds or at the caller's deadline. ``repeatable``
    names the methods that may safely run twice and are therefore tried again. ``target`` is host:port, or
    ``ipv4:`` with several addresses where no name stands for them; https://host:port is called over TLS, with the
    certificates of TlsSettings. ConfigurationError where these can't be read.
    """
    interceptor = _Guarding(name, timeout=timeout, repeatable=frozenset(repeatable), guard=guard or Guard(name))
    return grpc.intercept_channel(_channel(target), interceptor)


_OPTIONS = [
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.dns_min_time_between_resolutions_ms", RESOLVE_AGAIN_MS),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A proxy is the way out of the cluster, and calls stay in it.
    ("grpc.enable_http_proxy", 0),
]


def _channel(target: str) -> grpc.Channel:
    address = target.removeprefix("https://")
    name = address if address.startswith("ipv4:") else f"dns:///{address}"
    if address == target:
        return grpc.insecure_channel(name, options=_OPTIONS)
    credentials = calling(load(TlsSettings))
    return RenewedChannel(credentials, lambda each: grpc.secure_channel(name, each, options=_OPTIONS))


class _Fields(NamedTuple):
    method: str
    timeout: float | None
    metadata: list[tuple[str, str]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Details(_Fields, grpc.ClientCallDetails):  # type: ignore[misc]
    """What grpc takes: it has the fields and no constructor."""


class _Guarding(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    def __init__(self, name: str, *, timeout: float, repeatable: frozenset[str], guard: Guard) -> None:
        self._name = name
        self._timeout = timeout
        self._repeatable = repeatable
        self._guard = guard

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        method = details.method.rpartition("/")[2]

        def once() -> Any:
            limit = deadline.timeout(details.timeout or self._timeout)
            call = continuation(_prepared(details, limit), request)
            error = call.exception()  # waits for the answer
            if error is not None and call.code() in AWAY:
                deadline.refuse_if_over(given=limit, usual=details.timeout or self._timeout)
                raise UpstreamUnavailable(f"{self._name}: {call.code().name}") from error
            return call

        with span(details.method.removeprefix("/"), kind="client"):
            return self._guard.call(once, safe_to_repeat=method in self._repeatable)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Streams last as long as they last: until the caller's deadline or the timeout it gave."""
        self._guard.breaker.refuse_if_open()
        limits = [one for one in (details.timeout, deadline.remaining()) if one is not None]
        return continuation(_prepared(details, min(limits, default=None)), request)


def _prepared(details: Any, limit: float | None) -> _Details:
    metadata = [*(details.metadata or ()), *outgoing_headers().items()]
    return _Details(details.method, limit, metadata, details.credentials, details.wait_for_ready, details.compression)
