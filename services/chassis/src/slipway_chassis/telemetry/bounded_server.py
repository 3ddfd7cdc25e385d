"""Servers of the standard library that strangers can't fill: connections are bounded in number and in time."""

import contextlib
import socket
import socketserver
import threading
import time
from typing import Any


class BoundedServer(socketserver.BaseServer):
    """Stands before a server with a thread for each connection, of which the oldest end when there are more than
    ``most_connections``, and each after ``request_seconds``.
    """

    request_seconds = 15.0
    most_connections = 64

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ends: dict[Any, float] = {}
        self._lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for it, and the end of others where they are too many."""
        with self._lock:
            self._ends[request] = time.monotonic() + self.request_seconds
        self._end_connections()
        super().process_request(request, client_address)

    def stays(self, request: Any) -> None:
        """The connection has no end of its own, and is none of those that give way: a stream."""
        with self._lock:
            self._ends.pop(request, None)

    def again(self, request: Any) -> None:
        """A further request on a connection that was kept has its own time."""
        with self._lock:
            if request in self._ends:
                self._ends[request] = time.monotonic() + self.request_seconds

    def shutdown_request(self, request: Any) -> None:
        """Forgets it."""
        self.stays(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called by ``serve_forever``, twice in a second."""
        self._end_connections()

    def _end_connections(self) -> None:
        with self._lock:
            now, many = time.monotonic(), len(self._ends) - self.most_connections
            over = [request for place, (request, end) in enumerate(self._ends.items()) if end < now or place < many]
            for request in over:
                del self._ends[request]
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it
