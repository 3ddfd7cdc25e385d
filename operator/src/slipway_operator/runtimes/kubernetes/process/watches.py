"""kopf as transport: it watches, and every event becomes a name in the queue. Nothing is decided or kept here.

``on.event`` alone: handlers of changes would write annotations and finalizers into every object, and see what they
were told instead of what is there. No index is used, so no limit of workers is needed, which would be a trap with one.
"""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import kopf

from ....errors import WatchesEnded
from ..api.access import Access
from ..api.kinds import CHILDREN, MICROSERVICE, RELEASE_PLAN, SERVICE_LABEL, Key, Kind
from ..api.login import Login

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
REQUEST_SECONDS = 30
EXIT_SECONDS = 3
LOGIN_SECONDS = 5  # until a login that failed is tried again
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, repr=False)
class _Connection(kopf.ConnectionInfo):
    """With the TLS of our requests: kopf's has no name of the server, and writes certificates to the disk."""

    login: Login

    def __repr__(self) -> str:
        return f"<connection to {self.server}>"  # kopf's has the token, and the proxy's password

    def as_http_headers(self) -> dict[str, str]:
        """They come to aiohttp as they are, so that a header may come several times."""
        headers = [*super().as_http_headers().items(), *self.login.impersonation]
        return cast("dict[str, str]", headers)

    def as_ssl_context(self) -> ssl.SSLContext:
        return self.login.tls()


def _connection_of(login: Login) -> kopf.ConnectionInfo:
    scheme, _, token = (login.authorization or "").partition(" ")
    return _Connection(
        login=login,
        server=login.server,
        scheme=scheme or None,
        token=token or None,
        default_namespace=login.namespace,
        proxy_url=login.proxy,
    )


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.peering.standalone = True
    made.scanning.disabled = True
    made.networking.request_timeout = REQUEST_SECONDS
    made.networking.connect_timeout = CONNECT_SECONDS
    made.networking.enforce_retry_after = True
    # A watch that is silent heals by kopf's own inactivity timeout; this bounds it in any case.
    made.watching.server_timeout = 300
    made.watching.connect_timeout = CONNECT_SECONDS
    made.queueing.error_delays = (1, 2, 5, 10, 30)
    made.process.ultimate_exiting_timeout = None  # it would kill this process, which has more to end than watches
    for kind in CHILDREN:
        made.watching.label_selectors[kind.group, kind.version, kind.plural] = SERVICE_LABEL
    return made


def registry(
    access: Access,
    add: Callable[[Key], None],
    forget: Callable[[Key], None],
    saw: Callable[[Kind, Any], None],
) -> kopf.OperatorRegistry:
    """``saw``: hears the resourceVersion of each object that is told of, before the others hear of it."""
    made = kopf.OperatorRegistry()

    given: list[Login] = []

    @kopf.on.login(registry=made, backoff=LOGIN_SECONDS)
    def login(**_: Any) -> kopf.ConnectionInfo:
        """In a thread; again, when the server refuses the one that was given."""
        given[:] = [access.login(given[0] if given else None)]
        return _connection_of(given[0])

    @kopf.on.event(MICROSERVICE.group, MICROSERVICE.version, MICROSERVICE.plural, registry=made)
    async def service_changed(event: Any, meta: Any, name: str, namespace: str | None, **_: Any) -> None:
        saw(MICROSERVICE, meta.get("resourceVersion"))
        key = Key(namespace or "", name)
        if event["type"] == "DELETED":
            forget(key)
        add(key)  # where it has gone, what was lent to it is given back

    @kopf.on.event(RELEASE_PLAN.group, RELEASE_PLAN.version, RELEASE_PLAN.plural, registry=made)
    async def plan_changed(event: Any, meta: Any, name: str, namespace: str | None, spec: Any, **_: Any) -> None:
        saw(RELEASE_PLAN, meta.get("resourceVersion"))
        key = Key(namespace or "", name, RELEASE_PLAN)
        (forget if event["type"] == "DELETED" else add)(key)
        for service in _planned(spec):  # a plan that is new, or gone, says something to each of them
            add(Key(namespace or "", service))

    for kind in CHILDREN:

        @kopf.on.event(kind.group, kind.version, kind.plural, registry=made, id=f"{kind.plural}-changed")
        async def child_changed(meta: Any, labels: Any, namespace: str | None, of: Kind = kind, **_: Any) -> None:
            saw(of, meta.get("resourceVersion"))
            # A label that was taken away ends the watch of the child: the resync finds that it is missing.
            if SERVICE_LABEL in labels:
                add(Key(namespace or "", labels[SERVICE_LABEL]))

    return made


def _planned(spec: Any) -> list[str]:
    return [service["name"] for wave in spec.get("waves", ()) for service in wave.get("services", ())]


async def watch(
    access: Access,
    namespaces: Sequence[str],
    add: Callable[[Key], None],
    forget: Callable[[Key], None],
    saw: Callable[[Kind, Any], None],
) -> None:
    """Until it is cancelled; without namespaces, all of them are watched.

    kopf has a thread and an event loop of its own. At its end it waits for every task of its loop and cancels it,
    whoever made it: the Lease would not be given back. And what it does does not delay the Lease's renewal.
    """
    for noisy in ("kopf.objects", "kopf.activities"):  # a line for each event
        logging.getLogger(noisy).setLevel(logging.WARNING)
    loop, stop = asyncio.get_running_loop(), threading.Event()
    ended: asyncio.Future[None] = loop.create_future()

    def told(function: Callable[[Key], None]) -> Callable[[Key], None]:
        return lambda key: _tell(loop, function, key)

    watches = kopf.operator(
        registry=registry(access, told(add), told(forget), saw),
        settings=settings(),
        standalone=True,
        # Of no use without peering; left out, kopf asks for the name of the user, and a pod's has none.
        identity=cast("Any", "slipway-operator"),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        stop_flag=stop,
    )
    thread = threading.Thread(target=_run, args=(watches, loop, ended), name="kopf", daemon=True)
    thread.start()
    try:
        await ended
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, EXIT_SECONDS)


def _run(watches: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    error: Exception = WatchesEnded("kopf's watches ended")
    try:
        asyncio.run(watches)
    except Exception as problem:  # noqa: BLE001 # it is raised where it is waited for
        error = problem
    _tell(loop, lambda failed: None if ended.done() else ended.set_exception(failed), error)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[T], None], what: T) -> None:
    with contextlib.suppress(RuntimeError):  # the other loop has ended: nobody listens any more
        loop.call_soon_threadsafe(function, what)
