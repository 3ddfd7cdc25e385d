"""A bounded load from this machine: a fixed rate, kept-alive and new connections, every failure kept.

``customer`` is who asks (``shop.Customer``), at the gateway, with a token.
"""

import http.client
import json
import threading
import time
from collections import Counter
from urllib.parse import urlsplit


class Load:
    """Sends ``rate`` requests a second while the block runs; at most ``seconds`` long.

    Half of the clients keep their connection as long as the server does, the others open one for each
    request. ``answers`` counts (status, version); ``failures`` has one line for each request that failed.
    """

    def __init__(self, customer, requests, *, rate, clients=10, seconds=300):
        self._customer = customer
        self._address = urlsplit(customer.url)
        self._requests = requests
        self._pause = clients / rate
        self._clients = clients
        self._end = time.monotonic() + seconds
        self._stop = threading.Event()
        self.answers = Counter()
        self.failures = []
        self.created = []

    def __enter__(self):
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(self._clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def sent(self):
        return sum(self.answers.values()) + len(self.failures)

    def _client(self, number):
        keep_alive = number % 2 == 0
        connection = None
        due = time.monotonic() + self._pause * number / self._clients
        count = 0
        while not self._stop.wait(max(0.0, due - time.monotonic())) and time.monotonic() < self._end:
            due += self._pause
            method, path, body = self._requests[count % len(self._requests)]
            count += 1
            try:
                connection = connection or http.client.HTTPConnection(
                    self._address.hostname, self._address.port, timeout=20
                )
                headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._customer.token}"}
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                self.answers[answer.status] += 1
                if answer.status not in (200, 201):
                    self.failures.append(f"{method} {path}: {answer.status} {text[:200]!r}")
                if answer.status == 201:
                    self.created.append(json.loads(text)["id"])
                closed = answer.will_close
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method} {path}: {type(error).__name__}: {error}")
                closed = True
            if closed or not keep_alive:
                connection.close()
                connection = None
