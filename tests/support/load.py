"""The load of the tests: clients that do something at a fixed rate, and keep every failure.

It needs the standard library alone, so that a pod can run it from its source, too:
``python -c SOURCE URL PATH RATE CLIENTS FILE`` asks until the file is there; with ``tolerant`` as a sixth argument by
clients that ask again as browsers do. It prints JSON, a line for each turn when it comes, and at the end one with
answers and failures.
"""

import http.client
import json
import math
import select
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MOST_OF_A_TURN = 64  # bytes


class Clients:
    """One thread for each of ``pauses``, which calls ``act(number, count)`` that often while the block runs.

    A client that is late catches up on at most ``catch_up`` seconds. An assertion that fails ends its client, and is
    kept in ``errors``.
    """

    def __init__(self, act, pauses, *, seconds=300, catch_up=math.inf, patience=60):
        self._act, self._pauses = act, pauses
        self._end = time.monotonic() + seconds
        self._catch_up, self._patience = catch_up, patience
        self._stop = threading.Event()
        self.errors = []

    def __enter__(self):
        self._threads = [
            threading.Thread(target=self._client, args=each, daemon=True, name=f"client {each[0]}")
            for each in enumerate(self._pauses)
        ]
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(self._patience)
        self.seconds = time.monotonic() - self._began

    def _client(self, number, pause):
        due = time.monotonic() + min(pause, 1) * number / len(self._pauses)  # they don't begin all at once
        count = 0
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())) and time.monotonic() < self._end:
                due = max(due + pause, time.monotonic() - self._catch_up)
                self._act(number, count)
                count += 1
        except AssertionError as error:
            self.errors.append(error)


@dataclass(frozen=True)
class Anybody:
    """Who asks without a token."""

    url: str
    token: str = ""


class Load(Clients):
    """Sends ``rate`` requests a second in all, for ``customer``: who has the address that is asked, and a token.

    Half of the clients keep their connection as long as the server does, the others open one for each request. With
    ``pooled`` all keep it and look whether it was closed before they use it again, as connection pools do. With
    ``tolerant`` a GET on a kept connection that ended without an answer is asked once more on a new one (RFC 9110
    9.2.2; browsers, Go and urllib3 do it): a process that knows nothing of its clients needs such ones when it ends.

    ``answers`` counts by status; ``failures`` has one line for each request that failed, ``created`` the ids of what
    was created, ``turns`` (time, client, text) where a client that asks one thing was told another short text.
    """

    def __init__(
        self, customer, requests, *, rate=None, clients=10, pauses=None, pooled=False, tolerant=False, seconds=300
    ):
        super().__init__(self._send, pauses or [clients / rate] * clients, seconds=seconds)
        self._customer, self._requests, self._pooled, self._tolerant = customer, requests, pooled, tolerant
        self._address = urlsplit(customer.url)
        self._connections = {}
        self._lock = threading.Lock()
        self.answers = Counter()
        self.failures = []
        self.created = []
        self.turns = []
        self._told = {}

    @property
    def sent(self):
        return self._answered() + len(self.failures)

    def wait_for(self, count, *, within=60):
        """Until so many more requests were answered."""
        enough, deadline = self._answered() + count, time.monotonic() + within
        while self._answered() <= enough:
            assert time.monotonic() < deadline, f"no {count} answers within {within} s; failures: {self.failures[:3]}"
            time.sleep(0.05)

    def _answered(self):
        with self._lock:
            return self.answers.total()

    def note(self, answer, body):
        """Called with each answer, whatever its status is."""
        if answer.status == http.HTTPStatus.CREATED:
            self.created.append(json.loads(body)["id"])

    def _send(self, number, count):
        method, path, body = self._requests[count % len(self._requests)]
        try:
            answer, text = self._answer(number, method, path, body)
            with self._lock:
                self.answers[answer.status] += 1
            self.note(answer, text)
            self._turn(number, text)
            if answer.status not in (200, 201):
                self._failed(f"{method} {path}: {answer.status} {text[:200]!r}")
            closed = answer.will_close
        except (OSError, http.client.HTTPException) as error:
            self._failed(f"{method} {path}: {type(error).__name__}: {error}")
            closed = True
        if closed or not (self._pooled or number % 2 == 0):
            self._close(number)

    def _turn(self, number, text):
        if len(self._requests) == 1 and len(text) <= MOST_OF_A_TURN and self._told.get(number) != text:
            self._told[number] = text
            self.turns.append((time.time(), number, text.decode()))

    def _answer(self, number, method, path, body):
        kept = number in self._connections
        try:
            return self._ask(self._connection(number), method, path, body)
        except ConnectionError:  # which RemoteDisconnected is: not a byte came
            if not (self._tolerant and kept and method == "GET"):
                raise
            self._close(number)
            return self._ask(self._connection(number), method, path, body)

    def _ask(self, connection, method, path, body):
        headers = {"Content-Type": "application/json"}
        if token := self._customer.token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def _connection(self, number):
        if self._pooled and number in self._connections and _was_closed(self._connections[number]):
            self._close(number)
        if number not in self._connections:
            address = self._address
            kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
            self._connections[number] = kind(address.hostname, address.port, timeout=20)
        return self._connections[number]

    def _close(self, number):
        if connection := self._connections.pop(number, None):
            connection.close()

    def _failed(self, line):
        self.failures.append(f"{time.time():.1f} {line}")


def _was_closed(connection):
    """What can be read where nothing was asked is the end."""
    return connection.sock is not None and bool(select.select([connection.sock], [], [], 0)[0])


def _tell(turns):
    for turn in turns:
        print(json.dumps(turn), flush=True)
    return len(turns)


def main(url, path, rate, clients, file, tolerant=""):
    wanted = [("GET", path, None)]
    with Load(
        Anybody(url), wanted, rate=float(rate), clients=int(clients), tolerant=tolerant == "tolerant", seconds=3600
    ) as load:
        told = 0
        while not Path(file).exists():
            told += _tell(load.turns[told:])
            time.sleep(0.1)
    _tell(load.turns[told:])
    print(json.dumps({"answers": load.answers, "failures": load.failures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
