"""Call and wait: whoever hangs, hangs its callers. What guards a call does nothing here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slipway_chassis.resilience import Breaker, Bulkhead
from slipway_chassis.resilience.guard import Guard


@contextmanager
def let_pass(*_: Any) -> Iterator[None]:
    yield


def never_refuse(_: Breaker) -> None:
    pass


def call(_: Guard, function: Any, **__: Any) -> Any:
    return function()


Breaker.guarding = let_pass  # type: ignore[method-assign]
Breaker.refuse_if_open = never_refuse  # type: ignore[method-assign]
Bulkhead.entering = let_pass  # type: ignore[method-assign, assignment]
Guard.call = call  # type: ignore[method-assign]
