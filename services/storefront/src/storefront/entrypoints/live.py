"""An order's state as server-sent events: ``state`` for each change, ``final`` for the last one.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextvars import copy_context
from uuid import UUID

from flask import Response, request

from slipway_chassis import deadline
from slipway_chassis.errors import BulkheadFull
from slipway_chassis.http import current_parts

from ..application.live import Pace, Seen, follow
from ..domain.catalogue import Order
from ..domain.session import Account
from ..errors import NotSignedIn
from .parts import Parts
from .shop import pages
from .visit import current_visit

RECONNECT_MS = 2_000
BUSY_SECONDS = 5


@pages.get("/live/orders/<uuid:order_id>")
def events(order_id: UUID) -> Response:
    """At most so many at a time: each holds a thread of the process."""
    known = current_parts(Parts)
    try:
        account = current_visit().signed_in()
    except NotSignedIn:
        return _refused(401, "Sign in first.")
    place = ExitStack()
    try:
        place.enter_context(known.streams.entering(account.subject))
    except BulkheadFull:
        refused = _refused(503, "Too many pages are live at the moment.")
        refused.headers["Retry-After"] = str(BUSY_SECONDS)
        return refused
    with place:
        first = known.orders.find(account, order_id)
        if request.method == "HEAD":  # its answer is never iterated, and so never closed
            return Response(content_type="text/event-stream")
        response = Response(_stream(known, account, first), content_type="text/event-stream")
        response.call_on_close(place.pop_all().close)
    return response


def _refused(status: int, text: str) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")


def _stream(known: Parts, account: Account, first: Order) -> Iterator[str]:
    """Runs after the request is over, so it takes along what belongs to it: trace, request id, deadline."""
    context = copy_context()
    happened = follow(
        first,
        lambda: known.orders.find(account, first.id),
        clock=time.monotonic,
        wait=time.sleep,
        stopping=known.draining,
        pace=Pace(stream=deadline.timeout(Pace().stream)),
    )

    def written() -> Iterator[str]:
        yield f"retry: {RECONNECT_MS}\n\n"
        while (one := context.run(next, happened, None)) is not None:
            yield _event(one) if isinstance(one, Seen) else ": still here\n\n"

    return written()


def _event(seen: Seen) -> str:
    data = json.dumps({"status": seen.order.status, "reason": seen.order.reason})
    return f"event: {'final' if seen.last else 'state'}\ndata: {data}\n\n"
