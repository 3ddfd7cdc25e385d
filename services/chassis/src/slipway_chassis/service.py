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
>>> pinger.build_app().test_client().get("/v1/ping").get_json()
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

from .auth.keys import Fetch
from .config import HttpSettings, load
from .database import Database, Schema, Tables
from .errors import ConfigurationError
from .events.outbox import write_events_of
from .events.sources import Source
from .events.stream import Stream
from .events.tables import metadata as chassis_tables
from .http.api import Api
from .http.app import NO_RESOURCES, PARTS, RESOURCES, create_app
from .http.existing import Existing, guarded_views, require_existing, serve_existing
from .resources import Resources
from .telemetry.health import Health

if TYPE_CHECKING:
    from .grpc.server import GrpcService
    from .timers import Timer

_prepared: "weakref.WeakSet[Service]" = weakref.WeakSet()


@dataclass(frozen=True, eq=False)
class Service:
    """A service, declared; its processes are started by ``processes.run``, and nothing connects before that.

    Attributes:
        name: its name everywhere: logs, metrics, consumer group, database.
        apis: versions of its HTTP API, side by side.
        pages: Flask blueprints beside them, for what is no API: HTML, forms, redirects.
        app: instead of both, a Flask application that is there already, or a function that makes one.
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
    app: Existing | None = None
    publishes: Mapping[type[Any], Stream] = field(default_factory=dict)
    consumes: Sequence[Source] = ()
    timers: "Sequence[Timer]" = ()
    problems: Mapping[type[Exception], int] = field(default_factory=dict)
    package: str | None = None
    tables: MetaData | None = None
    prepare: Callable[[], None] | None = None
    settings: type[BaseModel] | None = None
    parts: Callable[[Resources], object] | None = None
    issues: Callable[[Database, Any], Fetch] | None = None
    grpc: "Sequence[GrpcService]" = ()

    def __post_init__(self) -> None:
        if self.app is not None:
            self._require_alone()
        if (self.publishes or self.consumes) and not self.has_database:
            raise ConfigurationError(
                f"{self.name} sends or receives events and has no database: pass package= or tables="
            )
        if self.timers and not self.consumes:
            raise ConfigurationError(f"{self.name} has timers and no consumer process, in which they would run")

    def _require_alone(self) -> None:
        require_existing(self.name, self.app)
        cures = {
            "apis": "leave app out, and make them a service of their own",
            "pages": "register them there: app.register_blueprint",
            "problems": "handle them there: app.register_error_handler",
        }
        for part, cure in cures.items():
            if getattr(self, part) and not (part == "problems" and self.grpc):
                raise ConfigurationError(f"{self.name}: {part}= can't be given beside app=; {cure}")

    @property
    def has_database(self) -> bool:
        """Whether it keeps data: it then has a ``migrate`` process and needs DATABASE_URL."""
        return self.package is not None or self.tables is not None

    def processes(self) -> list[str]:
        """The processes that make up this service, each one a Deployment (migrate: a Job). ``processes.run`` knows one
        more where there are events: ``worker``, which stands for relay and consumer.
        """
        wanted = {
            "migrate": self.has_database,
            "http": bool(self.apis or self.pages or self.app),
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

    def own_settings(self) -> BaseModel | None:
        """Reads them from the environment, or raises ConfigurationError."""
        return load(self.settings) if self.settings else None

    def schema(self, database: Database) -> Schema | Tables:
        """What brings the database to the state this version needs."""
        if self.package is not None:
            return Schema(database, self.package)
        if self.tables is not None:
            return Tables(database, self.tables, chassis_tables)
        raise ConfigurationError(f"{self.name} has no database: pass package= or tables= to service()")

    def build_app(
        self,
        resources: Resources = NO_RESOURCES,
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
        self.require_issuer(there=resources.verifier is not None)
        parts = self.parts(resources) if self.parts and with_parts else None
        # A registry takes each metric once: a second application in one process needs its own.
        registry = registry or CollectorRegistry()
        if self.app is None:
            app = create_app(
                self.name,
                apis=self.apis,
                pages=self.pages,
                resources=resources,
                parts=parts,
                settings=settings or HttpSettings(),
                health=health or Health({}),
                problems=self.problems,
                version=version,
                registry=registry,
            )
        else:
            app = serve_existing(self.name, self.app, registry)
            app.extensions |= {PARTS: parts, RESOURCES: resources}
        self._require_issuer(guarded_views(app), there=resources.verifier is not None)
        return app

    def require_issuer(self, *, there: bool) -> None:
        """Routes that need a token and nobody to trust: said at start, not at the first request."""
        guarded = [f"{o.method} {o.rule}" for api in self.apis for o in api.operations if o.scopes is not None]
        guarded += [one.name for one in self.grpc if one.scopes is not None]
        if isinstance(self.app, Flask):
            guarded += guarded_views(self.app)
        self._require_issuer(guarded, there=there)

    @staticmethod
    def _require_issuer(guarded: Sequence[str], *, there: bool) -> None:
        if guarded and not there:
            raise ConfigurationError(
                f"AUTH_ISSUER is not set, and {guarded[0]} needs a token (for example https://users.example.org)"
            )


service = Service  # reads better where one is declared: ORDERS = service("orders", ...)
