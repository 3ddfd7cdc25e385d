"""Requests to the API server, by the official client's transport, as plain JSON.

All writes go through one method, and that method asks first whether it may write.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from ....errors import Missing, Outdated, Overloaded, Unauthorized, Unreachable
from .access import Access
from .answers import Manifest
from .freshness import Freshness
from .kinds import MANAGER, Kind
from .login import Login
from .transport import Transport

Manifests = list[Manifest]

APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"
TIMEOUT_SECONDS = 15
TRIES = 4
LONGEST_PAUSE = 10.0
PAGE = 500


class Fence(Protocol):
    def check(self) -> None:
        """Raises NotLeading where another replica may act."""


class NoFence:
    """For one that writes nothing but the Lease itself, and for tests."""

    def check(self) -> None:
        return None


class Client:
    def __init__(
        self,
        access: Access,
        fence: Fence,
        *,
        freshness: Freshness | None = None,
        manager: str = MANAGER,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._access = access
        self._fence = fence
        self._freshness = freshness or Freshness()
        self._manager = manager
        self._pause = pause
        self._timeout = timeout
        self._login: Login | None = None  # that of the transport
        self._transport: Transport | None = None
        self._closing: set[asyncio.Future[None]] = set()  # former ones

    async def __aenter__(self) -> Self:
        await self._connection()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*self._closing)
        if self._transport:
            await self._transport.close()

    # --- reading
    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        try:
            found = await self._request("GET", kind.path(namespace, name))
        except Missing:
            return None
        if not (found.get("metadata") or {}).get("resourceVersion"):
            raise Unreachable(f"GET {kind.path(namespace, name)}: what answered is not the API server: no object")
        return found

    async def list(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", recent: bool = False
    ) -> Manifests:
        """All of them, by pages, as the storage has them now; ``recent``: not older than what is known of the kind."""
        chosen = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        least = self._freshness.least(kind) if recent else {}
        try:
            return await self._pages(kind, namespace, chosen, least)
        except Overloaded:
            if not least:
                raise
            # A storage that was restored from a backup counts from an earlier number, and never comes up to it.
            self._freshness.forget()
            return await self._pages(kind, namespace, chosen, {})

    async def _pages(
        self, kind: Kind, namespace: str | None, chosen: Mapping[str, str], least: Mapping[str, str]
    ) -> Manifests:
        found: Manifests = []
        query = {**chosen, **least}
        while True:
            page = await self._request("GET", kind.path(namespace), query=query)
            found += _items(page, kind.path(namespace))
            metadata = page.get("metadata") or {}
            self._freshness.saw(kind, metadata.get("resourceVersion"))
            if not metadata.get("continue"):
                return found
            query = {**chosen, "continue": metadata["continue"]}

    # --- writing
    async def apply(self, kind: Kind, namespace: str | None, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply. With a resourceVersion in the manifest it fails when the object has changed since."""
        metadata = {**manifest["metadata"], **({"namespace": namespace} if namespace else {})}
        body = {"apiVersion": kind.api_version, "kind": kind.name, **manifest, "metadata": metadata}
        query = {"fieldManager": self._manager, "force": "true"}
        path = kind.path(namespace, metadata["name"], subresource)
        return self._noted(kind, await self._write("PATCH", path, body, query=query, content=APPLY))

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: Manifest, *, subresource: str = ""
    ) -> Manifest | None:
        """For a label or an annotation on an object that is not ours to apply. One that is gone needs none."""
        try:
            query = {"fieldManager": self._manager}
            path = kind.path(namespace, name, subresource)
            return self._noted(kind, await self._write("PATCH", path, patch, query=query, content=MERGE))
        except Missing:
            return None

    async def create(self, kind: Kind, namespace: str | None, manifest: Manifest) -> Manifest | None:
        """What was made; None: an object of that name is left as it is."""
        body = {"apiVersion": kind.api_version, "kind": kind.name, **manifest}
        try:
            query = {"fieldManager": self._manager}
            return self._noted(kind, await self._write("POST", kind.path(namespace), body, query=query))
        except Outdated:
            return None

    async def replace(self, kind: Kind, namespace: str, manifest: Manifest) -> Manifest:
        """Of exactly the resourceVersion that the manifest carries."""
        body = {"apiVersion": kind.api_version, "kind": kind.name, **manifest}
        path = kind.path(namespace, manifest["metadata"]["name"])
        return self._noted(kind, await self._write("PUT", path, body, query={"fieldManager": self._manager}))

    async def delete(self, kind: Kind, namespace: str, name: str, *, propagation: str = "Background") -> None:
        try:
            await self._write("DELETE", kind.path(namespace, name), {"propagationPolicy": propagation})
        except Missing:
            return

    async def _write(
        self,
        method: str,
        path: str,
        body: Manifest,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Manifest:
        """The only way to change anything. The fence is asked before each try, not only before the first."""
        return await self._request(method, path, body=body, query=query, content=content, fenced=True)

    def _noted(self, kind: Kind, made: Manifest) -> Manifest:
        """No later list may lack it."""
        self._freshness.saw(kind, (made.get("metadata") or {}).get("resourceVersion"))
        return made

    # --- one request
    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Manifest | None = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        fenced: bool = False,
    ) -> Manifest:
        tries = 0
        refused: Login | None = None
        while True:
            login, transport = await self._connection(refused)
            tries += 1
            if fenced:
                self._fence.check()
            try:
                headers = login.headers() | {"Accept": "application/json", "Content-Type": content}
                return await transport.request(method, path, headers=headers, query=query or {}, body=body)
            except Unauthorized:
                # Another login may do, once. One that is the same will not.
                if refused or (await self._connection(login))[0] == login:
                    raise
                refused = login
            except (Unreachable, Overloaded) as error:
                # A second POST may find the work of the first one, whose answer was lost: it says 409 then.
                if tries == TRIES:
                    raise
                await self._pause(
                    min(LONGEST_PAUSE, (error.retry_after if isinstance(error, Overloaded) else 0.0) or 0.2 * 2**tries)
                )

    async def _connection(self, refused: Login | None = None) -> tuple[Login, Transport]:
        """The present login with a transport that has its certificates and its proxy.

        The caller uses it before it awaits anything else: another look may put another one in its place.
        """
        login = self._access.current()
        if login is None or login is refused:
            login = await asyncio.to_thread(self._access.login, refused)
        if self._transport is None or not login.same_connection(self._login):
            self._retire(self._transport)
            self._transport = Transport(login, agent=self._manager, timeout=self._timeout)
        self._login = login
        return login, self._transport

    def _retire(self, former: Transport | None) -> None:
        if former:
            closing = asyncio.ensure_future(former.retire())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _items(page: Manifest, path: str) -> Manifests:
    """An answer without them is no list: without its children, a service would be made anew."""
    items = page.get("items", "")
    if items is None:  # that is how Go writes an empty one
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unreachable(f"GET {path}: what answered is not the API server: no list of objects")
    return items
