"""How the benchmarks measure: contenders side by side, rounds interleaved, medians, processor time.

Rates are noisy on a shared machine; processor time per piece of work repeats within a few percent. So a
goal is held against processor time where the contenders run in processes of their own.
"""

import contextlib
import socket
import statistics
import threading
import time
from dataclasses import asdict, dataclass

import psutil


@dataclass(frozen=True)
class Figure:
    """``ratio`` is ours against the peer's, larger is better; ``holds`` whether it reaches the goal."""

    name: str
    ours: str
    peer: str
    ratio: float
    goal: str
    holds: bool

    def cells(self):
        """Of its row in docs/performance.md, without the machine."""
        return [self.name, f"{self.ratio:g}", self.goal, self.ours, self.peer]

    def as_json(self):
        return asdict(self)


def at_least(name, *, ours, peer, ratio, goal):
    return Figure(name, ours, peer, round(ratio, 3), f">= {goal}", ratio >= goal)


def at_most(name, *, ours, peer, value, goal):
    return Figure(name, ours, peer, round(value, 3), f"<= {goal}", value <= goal)


class Rounds:
    """Each contender's figure in each round. The machine's mood lasts longer than a round, so ratios are
    taken within rounds, and the median of those is the ratio.
    """

    def __init__(self, contenders, *, rounds):
        self._found = {name: [] for name in contenders}
        for number in range(rounds):
            order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
            for name in order:
                self._found[name].append(contenders[name]())

    def median(self, name):
        return statistics.median(self._found[name])

    def ratio(self, above, below):
        return statistics.median(a / b for a, b in zip(self._found[above], self._found[below], strict=True))


def cpu_of(pid):
    """Seconds of processor time of a process and its children so far."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
    return total


class Clients:
    """Threads that keep a connection each and send the same request; every answer must be 200.

    Not support.load: that one keeps a rate and tells what failed. Here as many requests as can be are sent by bare
    sockets, so that the service's time is measured and not the client's.
    """

    def __init__(self, port, request, *, threads=8):
        self._port = port
        self._request = request
        self._threads = threads

    def send(self, count):
        """Sends ``count`` requests in all; returns the seconds it took."""
        errors = []

        def client():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
                    for _ in range(count // self._threads):
                        connection.sendall(self._request)
                        _read_answer(connection)
            except (OSError, ValueError) as error:
                errors.append(error)

        started = time.perf_counter()
        threads = [threading.Thread(target=client) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return time.perf_counter() - started


def _read_answer(connection):
    data = connection.recv(65536)
    if not data.startswith(b"HTTP/1.1 200"):
        raise ValueError(data[:300])
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
