"""gunicorn's gthread worker, which can also let go of clients while it goes on serving, bounds the time in which a
request arrives, and shakes hands (TLS) without a thread that waits.
"""

import errno
import itertools
import logging
import math
import selectors
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import get_parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import _DEFER, STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from ..certificates import Renewed

log = logging.getLogger(__name__)

# A client that asks more often than this gets ``Connection: close`` with its next answer. A connection that is
# closed without an answer may cross a request that is on its way, the less likely the longer it was silent: with half
# a second one request of 9,000 was lost, with one second three of 2,700 on a machine that stood still for so long. The
# gateway (clusters.IDLE_SECONDS) lets go of silent connections earlier, so that it is never the one who is surprised.
SILENT_SECONDS = 3.0
# How soon an idle connection is looked at; gthread alone would wait a second.
WAKE_SECONDS = 0.25
# How long, and for how many bytes at a time, a peer that was answered is waited for: closed before it has read its
# answer and said goodbye, a connection may take the end of the answer with it (RFC 9112, 9.6).
GOODBYE_SECONDS, GOODBYE_BYTES = 2.0, 65_536
MOST_LEAVING = 256  # more are closed at once, the oldest first: each holds a file handle


class _InTime(SocketUnreader):  # type: ignore[misc] # gunicorn has no types
    """Reads one request after the other; each must be there ``seconds`` after its first byte, however small its pieces.

    What comes too late is taken for a client that has gone: nobody would read an answer in the middle of a request.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        super().__init__(sock)
        self._seconds = seconds
        self._pause = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("ll"))
        self._shortened = False
        self.begin()

    def begin(self) -> None:
        """The next request's time begins."""
        self._end = time.monotonic() + self._seconds
        if self._shortened:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, self._pause)
            self._shortened = False

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece. ConnectionResetError where it did not come in time."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise ConnectionResetError(errno.ECONNRESET, f"the request did not arrive within {self._seconds:.0f} s")
        seconds, microseconds = struct.unpack("ll", self._pause)
        if 0 < left < seconds + microseconds / 1e6:
            last = struct.pack("ll", int(left), max(1, int(left % 1 * 1e6)))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, last)
            self._shortened = True
        try:
            return super().chunk(size_hint)  # type: ignore[no-any-return]
        except BlockingIOError:
            raise ConnectionResetError(errno.ECONNRESET, "the client paused for too long") from None


class _InTimeByTls(_InTime):
    """The same over TLS, where Python waits by itself and a timeout of the socket would never end it."""

    def begin(self) -> None:
        self._end = time.monotonic() + self._seconds

    def chunk(self, size_hint: int | None = None) -> bytes:
        left = self._end - time.monotonic()
        if left <= 0:
            raise ConnectionResetError(errno.ECONNRESET, f"the request did not arrive within {self._seconds:.0f} s")
        seconds, microseconds = struct.unpack("ll", self._pause)
        self.sock.settimeout(min(left, seconds + microseconds / 1e6 or left))
        try:
            return SocketUnreader.chunk(self, size_hint)  # type: ignore[no-any-return]
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client paused for too long") from None
        finally:
            self.sock.settimeout(None)


class _Connection(TConn):  # type: ignore[misc] # gunicorn has no types
    """gthread's, which is closed without holding the loop that accepts all others up."""

    late = math.inf  # when its handshake must be over, by the monotonic clock
    shaken = False
    leave: Callable[[socket.socket], None]

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 # gunicorn's
        if graceful:
            self.leave(self.sock)
        else:
            util.close(self.sock)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """While ``closing`` says so, connections that say nothing are closed; ``pre_request`` closes the others. A request
    must arrive within ``request_seconds``, the handshake before it as well, where ``certificates`` are to be shown.
    """

    closing: Callable[[], bool] = staticmethod(lambda: False)
    request_seconds: float = 20.0
    certificates: Renewed[ssl.SSLContext] | None = None

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._leaving: deque[tuple[float, socket.socket]] = deque()  # until when, sorted

    def accept(self, listener: socket.socket) -> None:
        """As gthread does, but a connection waits for its first byte without a thread: else as many that say nothing
        as there are threads would stop the process for five seconds at a time.
        """
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        self.nr_conns += 1
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.leave = self._leave
        connection.set_timeout()
        self.pending_conns.append(connection)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def handle(self, conn: Any) -> Any:
        """One request of a connection, in a thread."""
        if conn.initialized:
            conn.parser.unreader.begin()
        elif self.certificates is None:
            conn.sock.setblocking(True)
            conn.init()
            conn.parser.unreader = _InTime(conn.sock, self.request_seconds)
        else:
            try:
                if not self._shaken_hands(conn, self.certificates):
                    return _DEFER
            except OSError as error:  # ssl.SSLError is one
                log.debug("no handshake with %s: %s", conn.client, error)
                return False
            conn.initialized, conn.parser = True, get_parser(self.cfg, conn.sock, conn.client)
            conn.parser.unreader = _InTimeByTls(conn.sock, self.request_seconds)
        return super().handle(conn)

    def _shaken_hands(self, conn: Any, certificates: Renewed[ssl.SSLContext]) -> bool:
        """Whether the handshake is over and a request begins: until then the connection waits without a thread.
        OSError where the peer can't be served.
        """
        if not isinstance(conn.sock, ssl.SSLSocket):
            conn.sock.setblocking(False)
            conn.sock = certificates.current().wrap_socket(conn.sock, server_side=True, do_handshake_on_connect=False)
            conn.late = time.monotonic() + self.request_seconds
        if not conn.shaken:
            try:
                conn.sock.do_handshake()
            except ssl.SSLWantReadError:
                return False
            conn.shaken, conn.late = True, math.inf
        return bool(conn.sock.pending()) or not _says_nothing(conn.sock)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """As gthread does; but what TLS has read already wakes no poller, and a handshake goes on while it stops."""
        result = fs.result() if not fs.cancelled() and fs.exception() is None else False
        if result is _DEFER and not self.alive:
            conn.timeout = time.monotonic() + STOP_KEEPALIVE_LINGER
            self.pending_conns.append(conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))
        elif result and result is not _DEFER and isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending():
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def _leave(self, client: socket.socket) -> None:
        """Says goodbye, and closes when the peer has, or after a time: gthread alone would wait for each in turn."""
        try:
            client.shutdown(socket.SHUT_WR)
            client.setblocking(False)
            self.poller.register(client, selectors.EVENT_READ, self._hear_goodbye)
        except (OSError, ValueError, KeyError):
            util.close(client)
        else:
            self._leaving.append((time.monotonic() + GOODBYE_SECONDS, client))
            if len(self._leaving) > MOST_LEAVING:
                self._forget(self._leaving[0][1])

    def _hear_goodbye(self, client: socket.socket) -> None:
        try:
            over = not client.recv(GOODBYE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            over = True
        if over:
            self._forget(client)

    def _forget(self, client: socket.socket) -> None:
        self._leaving = deque(each for each in self._leaving if each[1] is not client)
        self.poller.unregister(client)
        util.close(client)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for each in self.pending_conns:
            each.timeout = min(each.timeout, deadline)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        waiting = self.keepalived_conns or self.pending_conns or self._leaving
        super().wait_for_and_dispatch_events(min(timeout, WAKE_SECONDS) if waiting else timeout)

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 # gunicorn's
        self._let_go(self.keepalived_conns)
        super().murder_keepalived(force)
        while self._leaving and (force or self._leaving[0][0] <= time.monotonic()):
            until, client = self._leaving[0]
            if force and until > time.monotonic():  # the last thing that this worker does
                self.wait_for_and_dispatch_events(min(WAKE_SECONDS, until - time.monotonic()))
            else:
                self._forget(client)

    def murder_pending(self) -> None:
        self._let_go(self.pending_conns)
        now = time.monotonic()
        for late in [each for each in self.pending_conns if each.late <= now]:
            self.pending_conns.remove(late)
            self.poller.unregister(late.sock)
            self.nr_conns -= 1
            late.close()
        super().murder_pending()

    def _let_go(self, connections: Iterable[Any]) -> None:
        """Lets the timeouts of silent ones be over. They are sorted by timeout, which was set at the last answer."""
        if not self.alive or not self.closing():
            return
        now = time.monotonic()
        silent = now - SILENT_SECONDS + self.cfg.keepalive
        for each in itertools.takewhile(lambda one: one.timeout <= silent and not _asked(one.sock), connections):
            each.timeout = now


def _says_nothing(client: socket.socket) -> bool:
    """Whether neither bytes nor the end has come; a connection at its end would be ready to read again and again."""
    return _next(client) is None


def _asked(client: socket.socket) -> bool:
    """Whether a request has come in the meantime."""
    return bool(_next(client))


def _next(client: socket.socket) -> bytes | None:
    """The first byte of what comes, which stays; none at the end, None where nothing has come."""
    try:  # the socket's own way, which knows no TLS
        return socket.socket.recv(client, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""
