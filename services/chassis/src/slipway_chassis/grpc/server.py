"""A gRPC server with health service, reflection and bounded everything.

A service names its generated code once:

    INVENTORY = GrpcService(
        descriptor=inventory_pb2.DESCRIPTOR.services_by_name["Inventory"],
        add=inventory_pb2_grpc.add_InventoryServicer_to_server,
        servicer=lambda resources: InventoryServicer(resources.database),
        scopes={"Reserve": ["inventory:write"]},
    )
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ..certificates import TlsSettings
from ..config import GrpcSettings
from ..outgoing import joined
from ..resources import Resources
from .credentials import serving
from .edge import GrpcEdge
from .places import Places

# A connection stays with one pod: without an end, other pods would get no calls from old clients, and a version that
# took over none at all. The age can't be changed later, and a server that is stopped for the sake of its GOAWAY loses
# calls (ADR 13), so it is always short; a new connection costs a millisecond.
CONNECTION_AGE_MS = 1_000
# Streams go on after it; their handlers end them, and nothing else should.
CONNECTION_GRACE_MS = 330_000
# Of whole calls, for each that is answered: more would wait for a place while their deadlines pass.
WAITING = 7
# gRPC gives a thread to a call before its first message is there, and waits for that as long as its connection lives.
# So there are threads for many that are unfinished; what is answered at a time is bounded by places.
UNFINISHED = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class GrpcService:
    """``scopes`` are per method name; None, for a method or for all of them: no token is asked for."""

    descriptor: ServiceDescriptor
    add: Callable[[Any, grpc.Server], None]
    servicer: Callable[[Resources], Any]
    scopes: Mapping[str, Collection[str] | None] | None = None

    @property
    def name(self) -> str:
        """The full name with its package, such as ``inventory.v1.Inventory``."""
        return str(self.descriptor.full_name)

    def scopes_by_path(self) -> dict[str, frozenset[str]]:
        """The scopes of each method's full path. A guarded service guards the methods it does not list too."""
        if self.scopes is None:
            return {}
        needed = {method.name: self.scopes.get(method.name, ()) for method in self.descriptor.methods}
        return {f"/{self.name}/{method}": frozenset(one) for method, one in needed.items() if one is not None}


class GrpcServer:
    """``start`` returns the port; ``drain`` says not serving, for good, lets calls finish, and stops."""

    def __init__(
        self,
        services: Sequence[GrpcService],
        resources: Resources,
        *,
        settings: GrpcSettings,
        tls: TlsSettings | None = None,
        problems: Mapping[type[Exception], int] = {},
    ) -> None:
        self._tls = tls or TlsSettings()
        guarded = {path: scopes for one in services for path, scopes in one.scopes_by_path().items()}
        places = Places(working=settings.grpc_threads, waiting=settings.grpc_threads * WAITING)
        self._server = grpc.server(
            ThreadPoolExecutor(settings.grpc_threads * UNFINISHED, thread_name_prefix="grpc"),
            interceptors=[
                GrpcEdge(
                    scopes=guarded,
                    verifier=resources.verifier,
                    problems=problems,
                    places=places,
                    callers=self._tls.callers,
                ),
            ],
            maximum_concurrent_rpcs=settings.grpc_threads * UNFINISHED,
            options=[
                ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
                ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_MS),
                ("grpc.max_receive_message_length", settings.grpc_max_message_bytes),
                ("grpc.max_metadata_size", 16 * 1024),
                ("grpc.so_reuseport", 0),  # a second process on the port is a mistake, not a helper
            ],
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [one.name for one in services]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        for one in services:
            one.add(one.servicer(resources), self._server)
        self._names = ["", *names]

    def start(self, host: str, port: int) -> int:
        """Listens and serves; returns the port, which is a free one for ``port`` 0. RuntimeError when it can't be
        bound, ConfigurationError when the files of ``tls`` can't be used.
        """
        credentials, address = serving(self._tls), joined(host, port)
        bound = int(
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self._server.start()
        self.serving(ready=True)
        return bound

    def serving(self, *, ready: bool) -> None:
        """What the health service answers for the server and each of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            self._health.set(name, status)

    def drain(self, seconds: float) -> None:
        """Not serving, for good; no new calls, and those in flight have ``seconds`` to finish. Returns when all is
        over.
        """
        self._health.enter_graceful_shutdown()
        self._server.stop(seconds).wait(seconds + 1)
