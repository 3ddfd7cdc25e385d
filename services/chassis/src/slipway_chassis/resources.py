"""What the handlers of a service are given, whatever they are asked by."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from .auth.tokens import Verifier
from .database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one process has built: None where the service has no such thing.

    Attributes:
        database: of the service.
        verifier: checks tokens of the configured issuer.
        settings: the service's own.
        draining: true while the process is on its way out, or others get the requests: streams come to an end.
    """

    database: Database | None = None
    verifier: Verifier | None = None
    settings: BaseModel | None = None
    draining: Callable[[], bool] = lambda: False
