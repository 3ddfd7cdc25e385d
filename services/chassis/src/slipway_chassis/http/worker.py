"""gunicorn's gthread worker, which can also let go of clients while it goes on serving."""

import itertools
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# A client that asks more often than this gets ``Connection: close`` with its next answer. A connection that is
# closed without an answer may cross a request that is on its way, the less likely the longer it was silent: with half
# a second one request of 9,000 was lost, with one second three of 2,700 on a machine that stood still for so long. The
# gateway (clusters.IDLE_SECONDS) lets go of silent connections earlier, so that it is never the one who is surprised.
SILENT_SECONDS = 3.0
# How soon an idle connection is looked at; gthread alone would wait a second.
WAKE_SECONDS = 0.25


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """While ``closing`` says so, connections that say nothing are closed; ``pre_request`` closes the others."""

    closing: Callable[[], bool] = staticmethod(lambda: False)

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
