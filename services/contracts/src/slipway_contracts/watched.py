"""Connections to servers of others, watched as a whole: they end at one point in time, and lead to no inner address.

Limits of sockets are for each piece that arrives: a server that sends a byte now and then would hold us for ever, in a
handshake, in the headers or in the body. And one that sends us on could have us ask what only we can reach.
"""

import socket
import threading
import time
from ipaddress import IPv6Address, ip_address
from typing import Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from .errors import UnreadableContracts

PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK = range(4)  # the further down, the fewer can ask there


class Watch:
    """``with Watch(seconds) as watch``: what was added is shut down ``seconds`` after it was made, or at the end."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._copies: list[socket.socket] = []
        self._timer = threading.Timer(max(0.0, seconds), self._shut)
        self._timer.daemon = True
        self._first: tuple[str, int] | None = None  # who was asked first, and how far inside that is

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for copy in self._copies:
                copy.close()
            self._copies.clear()

    @property
    def left(self) -> float:
        """Seconds; 0 or less: it is over."""
        return self.ends - time.monotonic()

    def add(self, connected: socket.socket) -> None:
        """A copy is kept: TLS takes the socket itself over."""
        with self._lock:
            self._copies.append(connected.dup())
        if self.left <= 0:
            self._shut()

    def require_allowed(self, host: str, address: str) -> None:
        """Raises UnreadableContracts for an address further inside than that of who was asked first."""
        inside = how_far_inside(address)
        if self._first is None:
            self._first = host, inside
        first, allowed = self._first
        if inside > allowed:
            raise UnreadableContracts(
                f"{first} sends us to {host[:100]}, which is {address}: an address of this machine or of its network "
                "is not asked for somebody outside of it"
            )

    def _shut(self) -> None:
        with self._lock:
            for copy in self._copies:
                try:
                    copy.shutdown(socket.SHUT_RDWR)
                except OSError:  # it ended by itself
                    continue


def how_far_inside(address: str) -> int:
    """PUBLIC, PRIVATE, LINK_LOCAL or LOOPBACK.

    >>> [how_far_inside(one) for one in ("8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1")]
    [0, 1, 2, 3]
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback or found.is_unspecified:
        return LOOPBACK
    if found.is_link_local:
        return LINK_LOCAL
    return PUBLIC if found.is_global else PRIVATE


def pool_of(watch: Watch, **options: object) -> urllib3.PoolManager:
    """A pool whose connections are all watched, those to where a server sends us on among them."""

    def watched(connection: HTTPConnection, connected: socket.socket) -> socket.socket:
        try:
            watch.require_allowed(connection.host, str(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        watch.add(connected)
        return connected

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return watched(self, super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return watched(self, super()._new_conn())

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    pool = urllib3.PoolManager(**options)  # type: ignore[arg-type]
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool
