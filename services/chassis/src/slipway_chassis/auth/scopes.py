"""Scopes: what a principal may do. ``require`` guards a Flask view; ``authorize`` is the rule itself.

>>> from slipway_chassis.auth import Principal
>>> authorize(Principal("ada", frozenset({"orders:read"}), {}), {"orders:read"})
>>> authorize(Principal("ada", frozenset(), {}), {"orders:read"})
Traceback (most recent call last):
...
slipway_chassis.errors.ScopeMissing: the token lacks the scope orders:read
"""

import functools
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from flask import current_app, g, request

from ..errors import ConfigurationError, InvalidToken, ScopeMissing
from .tokens import Principal, Verifier

P = ParamSpec("P")
T = TypeVar("T")

# gRPC's interceptor sets it; a Flask request keeps its principal in flask.g
principal_of_call: ContextVar[Principal | None] = ContextVar("principal", default=None)


def authorize(principal: Principal, scopes: Collection[str]) -> None:
    """Raises ScopeMissing that names what the principal lacks."""
    missing = set(scopes) - principal.scopes
    if missing:
        raise ScopeMissing(f"the token lacks the scope {' '.join(sorted(missing))}")


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("send the header Authorization: Bearer TOKEN", reason="missing")
    return token.strip()


def authenticate(scopes: Collection[str]) -> Principal:
    """The principal of this Flask request, if it may do what needs the scopes."""
    verifier: Verifier | None = current_app.extensions.get("slipway.verifier")
    if verifier is None:
        raise ConfigurationError("AUTH_ISSUER is not set, and this route needs a token")
    principal = verifier.verify(bearer_token(request.headers.get("Authorization", "")))
    authorize(principal, scopes)
    g.principal = principal
    return principal


def current_principal() -> Principal | None:
    """Who is asking, in a request or a gRPC call; None where no token was asked for."""
    return g.get("principal") if g else principal_of_call.get()


def require(*scopes: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Guards a Flask view: 401 without a valid token, 403 without the scopes."""

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            authenticate(scopes)
            return view(*args, **kwargs)

        return guarded

    return decorate
