"""gunicorn's gthread worker, which can also let go of clients while it goes on serving, and bounds the time in which a
request arrives.
"""

import errno
import itertools
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

# A client that asks more often than this gets ``Connection: close`` with its next answer. A connection that is
# closed without an answer may cross a request that is on its way, the less likely the longer it was silent: with half
# a second one request of 9,000 was lost, with one second three of 2,700 on a machine that stood still for so long. The
# gateway (clusters.IDLE_SECONDS) lets go of silent connections earlier, so that it is never the one who is surprised.
SILENT_SECONDS = 3.0
# How soon an idle connection is looked at; gthread alone would wait a second.
WAKE_SECONDS = 0.25


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


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """While ``closing`` says so, connections that say nothing are closed; ``pre_request`` closes the others. A request
    must arrive within ``request_seconds``.
    """

    closing: Callable[[], bool] = staticmethod(lambda: False)
    request_seconds: float = 20.0

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
        connection = TConn(self.cfg, client, address, listener.getsockname())
        connection.set_timeout()
        self.pending_conns.append(connection)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def handle(self, conn: Any) -> Any:
        """One request of a connection, in a thread."""
        if conn.initialized:
            conn.parser.unreader.begin()
        else:
            conn.sock.setblocking(True)
            conn.init()
            conn.parser.unreader = _InTime(conn.sock, self.request_seconds)
        return super().handle(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for each in self.pending_conns:
            each.timeout = min(each.timeout, deadline)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        waiting = self.keepalived_conns or self.pending_conns
        super().wait_for_and_dispatch_events(min(timeout, WAKE_SECONDS) if waiting else timeout)

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 # gunicorn's
        self._let_go(self.keepalived_conns)
        super().murder_keepalived(force)

    def murder_pending(self) -> None:
        self._let_go(self.pending_conns)
        super().murder_pending()

    def _let_go(self, connections: Iterable[Any]) -> None:
        """Lets the timeouts of silent ones be over. They are sorted by timeout, which was set at the last answer."""
        if not self.alive or not self.closing():
            return
        now = time.monotonic()
        silent = now - SILENT_SECONDS + self.cfg.keepalive
        for each in itertools.takewhile(lambda one: one.timeout <= silent and not _asked(one.sock), connections):
            each.timeout = now


def _asked(client: socket.socket) -> bool:
    """Whether a request has come in the meantime."""
    try:
        return bool(client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False
