"""What the handlers of a service stand on, whatever they are asked by."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from .auth.tokens import Verifier
from .database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``settings`` are the service's own. While ``draining`` says so the process is on its way out, or others
    get the requests: what streams should come to an end.
    """

    database: Database | None = None
    verifier: Verifier | None = None
    settings: BaseModel | None = None
    draining: Callable[[], bool] = lambda: False
