"""Connections to servers of others, watched as a whole: they end at one point in time, and lead to no inner address.

Limits of sockets are for each piece that arrives: a server that sends a byte now and then would hold us for ever, in a
handshake, in the headers or in the body; so would a name whose servers of names are silent, or that has many addresses.
And one that sends us on could have us ask what only we can reach.
"""

import socket
import threading
import time
from ipaddress import IPv6Address, ip_address
from typing import Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from .errors import UnreadableContracts
from .resolving import Address, addresses_of

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

    def connected(self, host: str, port: int, seconds: float) -> socket.socket:
        """To the first address of ``host`` that answers, each within ``seconds`` and all within the watch's own.

        Raises OSError (TimeoutError among them), or UnreadableContracts where the address lies further inside.
        """
        failure: OSError = TimeoutError(f"{host[:100]} was not reached in time")
        for address in addresses_of(host.strip("[]"), port, seconds=self.left):
            if self._first:
                self.require_allowed(host, str(address[1][0]))
            if self.left <= 0:
                break
            try:
                found = _opened(address, min(seconds, self.left))
            except OSError as error:
                failure = error
                continue
            self._keep(host, found)
            found.settimeout(seconds)
            return found
        raise failure

    def _keep(self, host: str, found: socket.socket) -> None:
        try:
            self.require_allowed(host, str(found.getpeername()[0]))
            self.add(found)
        except BaseException:
            found.close()
            raise

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


def _opened(address: Address, seconds: float) -> socket.socket:
    family, where = address
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.settimeout(seconds)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.connect(where)
    except BaseException:
        found.close()
        raise
    return found


def pool_of(watch: Watch, *, seconds: float, retries: urllib3.Retry | bool) -> urllib3.PoolManager:
    """A pool whose connections are all watched, those to where a server sends us on among them; ``seconds``: for one
    address, and for each piece that arrives.
    """

    def watched(connection: HTTPConnection) -> socket.socket:
        """With the errors that urllib3 expects."""
        host = connection._dns_host  # noqa: SLF001 # ends in a dot where it is said so
        try:
            return watch.connected(host, connection.port, seconds)
        except socket.gaierror as error:
            raise NameResolutionError(connection.host, connection, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except OSError as error:
            raise NewConnectionError(connection, f"Failed to establish a new connection: {error}") from error

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return watched(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return watched(self)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    pool = urllib3.PoolManager(retries=retries, timeout=seconds)
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool
