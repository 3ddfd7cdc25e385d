"""A service in one call: what it serves, publishes and consumes; everything around it is wired here.

>>> from slipway_chassis.http import Api, Output
>>> from slipway_chassis.service import service
>>> api = Api("v1")
>>> class Pong(Output):
...     text: str = "pong"
>>> @api.get("/v1/ping")
... def ping() -> Pong:
...     return Pong()
>>> pinger = service("pinger", apis=[api])
>>> pinger.processes()
['http']
>>> pinger.app().test_client().get("/v1/ping").get_json()
{'text': 'pong'}

``slipway run MODULE PROCESS`` starts one of its processes.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask
from prometheus_client import CollectorRegistry
from sqlalchemy import MetaData

from .auth.keys import Keys, http_fetch
from .auth.tokens import Verifier
from .config import AuthSettings, DatabaseSettings, HttpSettings, load
from .database import Database, Schema, Tables
from .errors import ConfigurationError
from .events.outbox import write_events_of
from .events.sources import Source
from .events.stream import Stream
from .http.api import Api
from .http.app import create_app
from .telemetry.health import Check, Health

if TYPE_CHECKING:
    from .grpc.server import GrpcService

_prepared: "weakref.WeakSet[Service]" = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """Made by ``service``. Its processes are started by ``run``; nothing connects before that."""

    name: str
    apis: Sequence[Api] = ()
    publishes: Mapping[type[Any], Stream] = field(default_factory=dict)
    consumes: Sequence[Source] = ()
    problems: Mapping[type[Exception], int] = field(default_factory=dict)
    package: str | None = None
    tables: MetaData | None = None
    prepare: Callable[[], None] | None = None
    grpc: "Sequence[GrpcService]" = ()

    @property
    def has_database(self) -> bool:
        return self.package is not None or self.tables is not None

    def processes(self) -> list[str]:
        """The processes that make up this service, each one a Deployment (migrate: a Job)."""
        wanted = {
            "migrate": self.has_database,
            "http": bool(self.apis),
            "grpc": bool(self.grpc),
            "relay": bool(self.publishes),
            "consumer": bool(self.consumes),
        }
        return [process for process, there in wanted.items() if there]

    def prepare_once(self) -> None:
        """Maps the domain's classes and connects them to the outbox, in this process."""
        if self not in _prepared:
            _prepared.add(self)
            if self.prepare:
                self.prepare()
            write_events_of(self.publishes)

    def schema(self, database: Database) -> Schema | Tables:
        """What brings the database to the state this version needs."""
        if self.package is not None:
            return Schema(database, self.package)
        if self.tables is not None:
            return Tables(database, self.tables)
        raise ConfigurationError(f"{self.name} has no database: pass package= or tables= to service()")

    def app(
        self,
        *,
        database: Database | None = None,
        verifier: Verifier | None = None,
        settings: HttpSettings | None = None,
        health: Health | None = None,
        version: str = "dev",
        registry: CollectorRegistry | None = None,
    ) -> Flask:
        """The Flask application. Tests pass what they need; the http process passes the real things."""
        self.prepare_once()
        self.require_issuer(there=verifier is not None)
        return create_app(
            self.name,
            apis=self.apis,
            settings=settings or HttpSettings(),
            health=health or Health({}),
            problems=self.problems,
            version=version,
            database=database,
            verifier=verifier,
            # A registry takes each metric once: a second application in one process needs its own.
            registry=registry or CollectorRegistry(),
        )

    def require_issuer(self, *, there: bool) -> None:
        """Routes that need a token and nobody to trust: said at start, not at the first request."""
        guarded = [f"{o.method} {o.rule}" for api in self.apis for o in api.operations if o.scopes is not None]
        guarded += [one.name for one in self.grpc if one.scopes is not None]
        if guarded and not there:
            raise ConfigurationError(
                f"AUTH_ISSUER is not set, and {guarded[0]} needs a token (for example https://users.example.org)"
            )

    def run(self, process: str) -> None:
        """Runs one process until SIGTERM; ConfigurationError when the service has no such process."""
        if process not in self.processes():
            raise ConfigurationError(f"{self.name} has no process {process!r}, only: {', '.join(self.processes())}")
        self.prepare_once()
        # Imported when needed: the process that answers HTTP carries no Kafka client, only the grpc process gRPC.
        if process == "http":
            from .http.process import run_http  # noqa: PLC0415

            run_http(self)
        elif process == "grpc":
            from .grpc.process import run_grpc  # noqa: PLC0415

            run_grpc(self)
        else:
            from . import workers  # noqa: PLC0415

            {"relay": workers.run_relay, "consumer": workers.run_consumer, "migrate": workers.run_migrate}[process](
                self
            )


def service(
    name: str,
    *,
    apis: Sequence[Api] = (),
    publishes: Mapping[type[Any], Stream] = {},
    consumes: Sequence[Source] = (),
    problems: Mapping[type[Exception], int] = {},
    package: str | None = None,
    tables: MetaData | None = None,
    prepare: Callable[[], None] | None = None,
    grpc: "Sequence[GrpcService]" = (),
) -> Service:
    """Declares a service.

    Args:
        name: its name everywhere: logs, metrics, consumer group, database.
        apis: versions of its HTTP API, side by side.
        publishes: aggregate classes whose events go to a stream, by the outbox.
        consumes: topics of other services and the handlers of their events.
        problems: its own errors, and the HTTP status of each.
        package: the package whose ``migrations`` folder holds its schema.
        tables: instead of migrations, for a service that has none yet: created if missing.
        prepare: called once per process before anything else, to map domain classes to tables.
        grpc: gRPC services it answers.
    """
    if (publishes or consumes) and package is None and tables is None:
        raise ConfigurationError(f"{name} sends or receives events and has no database: pass package= or tables=")
    return Service(
        name=name,
        apis=apis,
        publishes=publishes,
        consumes=consumes,
        problems=problems,
        package=package,
        tables=tables,
        prepare=prepare,
        grpc=grpc,
    )


@dataclass(frozen=True, kw_only=True)
class GroundSettings:
    """Settings of what processes that answer calls stand on; read and checked before any fork."""

    database: DatabaseSettings | None
    auth: AuthSettings

    @staticmethod
    def of(declared: Service) -> "GroundSettings":
        """Reads them from the environment, or raises ConfigurationError."""
        auth = load(AuthSettings)
        declared.require_issuer(there=bool(auth.auth_issuer))
        return GroundSettings(database=load(DatabaseSettings) if declared.has_database else None, auth=auth)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What processes that answer calls stand on: database, tokens, health."""

    database: Database | None
    verifier: Verifier | None
    health: Health


def ground_of(
    declared: Service,
    settings: GroundSettings,
    process: str,
    *,
    pool_size: int,
    health_of: Callable[[dict[str, Check]], Health],
) -> Ground:
    """Builds it in the process that will use it: after a fork, not before."""
    checks: dict[str, Check] = {}
    database = None
    if settings.database:
        url = settings.database.database_url
        database = Database(url, application_name=f"{declared.name}-{process}", pool_size=pool_size)
        checks["postgresql"] = declared.schema(database).usable
        if declared.publishes:
            from .events.nudge import Nudger  # noqa: PLC0415 # a thread, for those that write events

            Nudger(database).start()
        if any(operation.idempotent for api in declared.apis for operation in api.operations):
            from .events.retention import forget_now_and_then  # noqa: PLC0415

            forget_now_and_then(database)
    keys, verifier = verifier_of(settings.auth)
    if keys:
        checks["issuer"] = keys.usable
    return Ground(database=database, verifier=verifier, health=health_of(checks))


def verifier_of(settings: AuthSettings) -> tuple[Keys | None, Verifier | None]:
    """Trusts the configured issuer, whose keys are fetched from now on; nobody where none is configured."""
    if not settings.auth_issuer:
        return None, None
    keys = Keys(http_fetch(settings.jwks_url))
    keys.start()
    verifier = Verifier(
        keys,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        leeway=settings.auth_leeway_seconds,
    )
    return keys, verifier
