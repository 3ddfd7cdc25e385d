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
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from sqlalchemy import MetaData

from .auth.keys import Fetch, Keys, http_fetch
from .auth.tokens import Verifier
from .config import AuthSettings, DatabaseSettings, HttpSettings, load
from .database import Database, Schema, Tables
from .errors import ConfigurationError
from .events.outbox import write_events_of
from .events.sources import Source
from .events.stream import Stream
from .http.api import Api
from .http.app import NOTHING, create_app
from .standing import Standing
from .telemetry.health import Check, Health

if TYPE_CHECKING:
    from .grpc.server import GrpcService
    from .timers import Timer

_prepared: "weakref.WeakSet[Service]" = weakref.WeakSet()


@dataclass(frozen=True, eq=False)
class Service:
    """A service, declared; its processes are started by ``run``, and nothing connects before that.

    Attributes:
        name: its name everywhere: logs, metrics, consumer group, database.
        apis: versions of its HTTP API, side by side.
        pages: Flask blueprints beside them, for what is no API: HTML, forms, redirects.
        publishes: aggregate classes whose events go to a stream, by the outbox.
        consumes: topics of other services and the handlers of their events.
        timers: what is done now and then without being asked, in the process that consumes.
        problems: its own errors, and the HTTP status of each.
        package: the package whose ``migrations`` folder holds its schema.
        tables: instead of migrations, for a service that has none yet: created if missing.
        prepare: called once per process before anything else, to map domain classes to tables.
        settings: its own settings, read from the environment and checked before it serves.
        parts: builds, once per process, what its handlers get by ``current_parts``.
        issues: for the service that signs tokens: gives the published keys from its database and settings.
        grpc: gRPC services it answers.
    """

    name: str
    _: KW_ONLY
    apis: Sequence[Api] = ()
    pages: Sequence[Blueprint] = ()
    publishes: Mapping[type[Any], Stream] = field(default_factory=dict)
    consumes: Sequence[Source] = ()
    timers: "Sequence[Timer]" = ()
    problems: Mapping[type[Exception], int] = field(default_factory=dict)
    package: str | None = None
    tables: MetaData | None = None
    prepare: Callable[[], None] | None = None
    settings: type[BaseModel] | None = None
    parts: Callable[[Standing], object] | None = None
    issues: Callable[[Database, Any], Fetch] | None = None
    grpc: "Sequence[GrpcService]" = ()

    def __post_init__(self) -> None:
        if (self.publishes or self.consumes) and not self.has_database:
            raise ConfigurationError(
                f"{self.name} sends or receives events and has no database: pass package= or tables="
            )
        if self.timers and not self.consumes:
            raise ConfigurationError(f"{self.name} has timers and no consumer process, in which they would run")

    @property
    def has_database(self) -> bool:
        return self.package is not None or self.tables is not None

    def processes(self) -> list[str]:
        """The processes that make up this service, each one a Deployment (migrate: a Job). ``run`` has one more where
        there are events: ``worker``, which stands for relay and consumer.
        """
        wanted = {
            "migrate": self.has_database,
            "http": bool(self.apis or self.pages),
            "grpc": bool(self.grpc),
            "relay": bool(self.publishes),
            "consumer": bool(self.consumes),
        }
        return [process for process, there in wanted.items() if there]

    def _runnable(self) -> list[str]:
        return [*self.processes(), *(["worker"] if self.publishes or self.consumes else [])]

    def prepare_once(self) -> None:
        """Maps the domain's classes and connects them to the outbox, in this process."""
        if self not in _prepared:
            _prepared.add(self)
            if self.prepare:
                self.prepare()
            write_events_of(self.publishes)

    def own_settings(self) -> BaseModel | None:
        """Reads them from the environment, or raises ConfigurationError."""
        return load(self.settings) if self.settings else None

    def schema(self, database: Database) -> Schema | Tables:
        """What brings the database to the state this version needs."""
        if self.package is not None:
            return Schema(database, self.package)
        if self.tables is not None:
            return Tables(database, self.tables)
        raise ConfigurationError(f"{self.name} has no database: pass package= or tables= to service()")

    def app(
        self,
        standing: Standing = NOTHING,
        *,
        settings: HttpSettings | None = None,
        health: Health | None = None,
        version: str = "dev",
        registry: CollectorRegistry | None = None,
        with_parts: bool = True,
    ) -> Flask:
        """The Flask application. Tests pass what they need; the http process passes the real things, and what only
        describes itself goes without ``parts``.
        """
        self.prepare_once()
        self.require_issuer(there=standing.verifier is not None)
        return create_app(
            self.name,
            apis=self.apis,
            pages=self.pages,
            standing=standing,
            parts=self.parts(standing) if self.parts and with_parts else None,
            settings=settings or HttpSettings(),
            health=health or Health({}),
            problems=self.problems,
            version=version,
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
        if process not in self._runnable():
            raise ConfigurationError(f"{self.name} has no process {process!r}, only: {', '.join(self._runnable())}")
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

            run = {
                "relay": workers.run_relay,
                "consumer": workers.run_consumer,
                "worker": workers.run_worker,
                "migrate": workers.run_migrate,
            }
            run[process](self)


service = Service  # reads better where one is declared: ORDERS = service("orders", ...)


@dataclass(frozen=True, kw_only=True)
class GroundSettings:
    """Settings of what processes that answer calls stand on; read and checked before any fork."""

    database: DatabaseSettings | None
    auth: AuthSettings
    own: BaseModel | None

    @staticmethod
    def of(declared: Service) -> "GroundSettings":
        """Reads them from the environment, or raises ConfigurationError."""
        auth = load(AuthSettings)
        declared.require_issuer(there=bool(auth.auth_issuer))
        return GroundSettings(
            database=load(DatabaseSettings) if declared.has_database else None, auth=auth, own=declared.own_settings()
        )


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a process that answers calls is built on: what its handlers stand on, and its health."""

    standing: Standing
    health: Health


def ground_of(
    declared: Service,
    settings: GroundSettings,
    process: str,
    *,
    pool_size: int,
    health_of: Callable[[dict[str, Check]], Health],
    closing: Callable[[], bool],
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
    fetch = declared.issues(database, settings.own) if declared.issues and database else None
    keys, verifier = verifier_of(settings.auth, fetch)
    if keys:
        checks["issuer"] = keys.usable
    health = health_of(checks)
    standing = Standing(
        database=database,
        verifier=verifier,
        settings=settings.own,
        draining=lambda: health.draining or closing(),
    )
    return Ground(standing=standing, health=health)


def verifier_of(settings: AuthSettings, fetch: Fetch | None = None) -> tuple[Keys | None, Verifier | None]:
    """Trusts the configured issuer, whose keys are fetched from now on; nobody where none is configured."""
    if not settings.auth_issuer:
        return None, None
    keys = Keys(fetch or http_fetch(settings.jwks_url))
    keys.start()
    verifier = Verifier(
        keys,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        leeway=settings.auth_leeway_seconds,
    )
    return keys, verifier
