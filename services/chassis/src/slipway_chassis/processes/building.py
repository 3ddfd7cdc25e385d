"""Builds what a process that answers calls needs: its database, the issuer it trusts, and its health."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from ..auth.keys import Fetch, Keys, discovered_fetch, http_fetch
from ..auth.tokens import Verifier
from ..config import AuthSettings, DatabaseSettings, load
from ..database import Database
from ..resources import Resources
from ..service import Service
from ..telemetry.health import Check, Health


@dataclass(frozen=True, kw_only=True)
class ResourceSettings:
    """The settings of these; read and checked before any fork."""

    database: DatabaseSettings | None
    auth: AuthSettings
    own: BaseModel | None

    @staticmethod
    def of(declared: Service) -> "ResourceSettings":
        """Reads them from the environment, or raises ConfigurationError."""
        auth = load(AuthSettings, beside=declared.settings)
        declared.require_issuer(there=bool(auth.auth_issuer))
        return ResourceSettings(
            database=load(DatabaseSettings, beside=declared.settings) if declared.has_database else None,
            auth=auth,
            own=declared.own_settings(),
        )


@dataclass(frozen=True, kw_only=True)
class BuiltResources:
    """The resources of a process that answers calls, and its health, which asks them."""

    resources: Resources
    health: Health


def build_resources(
    declared: Service,
    settings: ResourceSettings,
    process: str,
    *,
    pool_size: int,
    health_of: Callable[[dict[str, Check]], Health],
    closing: Callable[[], bool],
) -> BuiltResources:
    """Builds them in the process that will use them: after a fork, not before."""
    checks: dict[str, Check] = {}
    database = None
    if settings.database:
        url = settings.database.database_url
        database = Database(url, application_name=f"{declared.name}-{process}", pool_size=pool_size)
        checks["postgresql"] = declared.schema(database).usable
        if declared.publishes:
            from ..events.wakeup import WakeupSender  # noqa: PLC0415 # a thread, for those that write events

            WakeupSender(database).start()
        if any(operation.idempotent for api in declared.apis for operation in api.operations):
            from ..events.retention import forget_now_and_then  # noqa: PLC0415

            forget_now_and_then(database)
    fetch = declared.issues(database, settings.own) if declared.issues and database else None
    keys, verifier = verifier_of(settings.auth, fetch)
    if keys:
        checks["issuer"] = keys.usable
    health = health_of(checks)
    resources = Resources(
        database=database,
        verifier=verifier,
        settings=settings.own,
        draining=lambda: health.draining or closing(),
    )
    return BuiltResources(resources=resources, health=health)


def verifier_of(settings: AuthSettings, fetch: Fetch | None = None) -> tuple[Keys | None, Verifier | None]:
    """Trusts the configured issuer, whose keys are fetched from now on; nobody where none is configured."""
    if not settings.auth_issuer:
        return None, None
    named = http_fetch(settings.auth_jwks_url) if settings.auth_jwks_url else discovered_fetch(settings.auth_issuer)
    keys = Keys(fetch or named)
    keys.start()
    verifier = Verifier(
        keys,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        leeway=settings.auth_leeway_seconds,
        types=settings.auth_token_types.split(","),
    )
    return keys, verifier
