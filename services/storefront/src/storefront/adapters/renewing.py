"""Renewing tokens once, however many pages ask for it, and to its end, even when none waits any longer.

A refresh token is good for one use (and for some seconds after it, as the users service has it). A page that
gave up on a slow answer and asked again later would look like a thief, and its visitor would be signed out. So
the question goes on without the page, and the next one finds the answer here.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import Context
from dataclasses import dataclass

from slipway_chassis.resilience import Bulkhead
from slipway_chassis.telemetry.correlation import current_request_id, current_traceparent, request_id_of, span

from ..domain.session import Account
from ..errors import Late

THREADS = 4
KEPT_SECONDS = 900.0  # a visitor whose page went out without the new token comes back with the old one
UNDER_WAY = 64  # more than threads: the others wait for one, and their pages for their own time limit


@dataclass(frozen=True, slots=True)
class _Asked:
    future: "Future[Account]"
    at: float


class Renewing:
    """``renew`` asks the issuer. Answers are kept a while by the hash of the token that they replace."""

    def __init__(self, renew: Callable[[Account], Account], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._renew = renew
        self._clock = clock
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()
        self._lock = threading.Lock()
        self._places = Bulkhead("token-renewals", most=UNDER_WAY, wait_seconds=0)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="renew")

    def refresh(self, account: Account, *, within: float) -> Account:
        """Raises Late when the answer is not there yet: ask again."""
        future = self._begin(account)
        try:
            return future.result(within)
        except TimeoutError:
            raise Late("the new token was not there in time") from None

    def forget(self, account: Account) -> None:
        """Who signs out is signed out, whatever older cookies there are: nothing is kept of this line of tokens."""
        line = {_key(account)}
        with self._lock:
            while found := [key for key, asked in self._asked.items() if line & {key, *_successor(asked.future)}]:
                for key in found:
                    line |= {key, *_successor(self._asked.pop(key).future)}

    def _begin(self, account: Account) -> "Future[Account]":
        key = _key(account)
        with self._lock:
            self._forget()
            asked = self._asked.get(key)
            if asked is None or _failed_for_now(asked.future):
                asked = self._asked[key] = _Asked(self._submit(account), self._clock())
                self._asked.move_to_end(key)
            return asked.future

    def _submit(self, account: Account) -> "Future[Account]":
        place = ExitStack()
        place.enter_context(self._places.entering())
        request_id, traceparent = current_request_id(), current_traceparent()

        def renew() -> Account:
            with request_id_of(request_id), span("renew tokens", parent=traceparent):
                return self._renew(account)

        # An empty context: the page's deadline must not end this.
        future = self._pool.submit(Context().run, renew)
        future.add_done_callback(lambda _: place.close())
        return future

    def _forget(self) -> None:
        while self._asked:
            key, asked = next(iter(self._asked.items()))
            if not asked.future.done() or self._clock() - asked.at < KEPT_SECONDS:
                return
            del self._asked[key]


def _key(account: Account) -> bytes:
    return hashlib.sha256(account.refresh_token.encode()).digest()


def _successor(future: "Future[Account]") -> set[bytes]:
    return {_key(future.result())} if future.done() and not future.exception() else set()


def _failed_for_now(future: "Future[Account]") -> bool:
    return future.done() and bool(getattr(future.exception(), "retriable", False))
