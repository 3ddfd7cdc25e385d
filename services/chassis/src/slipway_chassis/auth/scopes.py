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

from flask import g, request

from ..errors import ConfigurationError, InvalidToken, ScopeMissing
from .tokens import Principal, Verifier

P = ParamSpec("P")
T = TypeVar("T")

# Of a gRPC call; the edge of HTTP keeps a request's principal with the request.
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


def authenticate(verifier: Verifier | None, authorization: str, scopes: Collection[str]) -> Principal:
    """The principal of an Authorization header, if it may do what needs the scopes."""
    if verifier is None:
        raise ConfigurationError("AUTH_ISSUER is not set, and what was asked for needs a token")
    principal = verifier.verify(bearer_token(authorization))
    if not principal.scopes.issuperset(scopes):
        authorize(principal, scopes)
    return principal


def require(verifier: Verifier, *scopes: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Guards a plain Flask view: 401 without a valid token, 403 without the scopes; ``flask.g.principal`` says
    who it is. Routes of an ``Api`` name their scopes instead.
    """

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            g.principal = authenticate(verifier, request.headers.get("Authorization", ""), scopes)
            return view(*args, **kwargs)

        return guarded

    return decorate
