"""The cluster's API server, asked directly: a kubectl for each of many questions would cost more than the answers."""

import base64
import json
import threading
import time
from pathlib import Path

import requests

TIMEOUT = 20
WATCH_SECONDS = 60


class Api:
    """Requests of the kubeconfig's user; ``folder`` is where its certificate may lie."""

    def __init__(self, kubeconfig, folder):
        [cluster], [user] = kubeconfig["clusters"], kubeconfig["users"]
        self.server = cluster["cluster"]["server"]
        self._authority = _file(folder / "authority.pem", cluster["cluster"]["certificate-authority-data"])
        self._certificate = tuple(
            _file(folder / f"{part}.pem", user["user"][f"client-{part}-data"]) for part in ("certificate", "key")
        )
        self._local = threading.local()

    @property
    def session(self):
        """One for each thread: it is not safe to share."""
        if not hasattr(self._local, "session"):
            self._local.session = session = requests.Session()
            session.trust_env = False  # a proxy or certificates of the environment have no say here
            session.verify, session.cert = self._authority, self._certificate
        return self._local.session

    def get(self, path, **query):
        answer = self.session.get(self.server + path, params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def text(self, path, **query):
        answer = self.session.get(self.server + path, params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.text

    def replace(self, path, pointer, value):
        """One field of an object, and nothing else; returns the object."""
        patch = [{"op": "replace", "path": pointer, "value": value}]
        headers = {"Content-Type": "application/json-patch+json"}
        answer = self.session.patch(self.server + path, json.dumps(patch), headers=headers, timeout=TIMEOUT)
        assert answer.ok, answer.text
        return answer.json()


def _file(path, encoded):
    path = Path(path)
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(encoded))
    return str(path)


class Watch:
    """Objects of one kind, as they come while the block runs; an API server that goes away is asked again.

    ``seen`` has (time, object) of each change, oldest first; times are this machine's, as ``time.time()`` gives them.
    """

    def __init__(self, api, path):
        self._api, self._path = api, path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(WATCH_SECONDS + TIMEOUT)

    def of(self, name):
        return [(when, each) for when, each in self.seen if each["metadata"]["name"] == name]

    def _run(self):
        while not self._stop.is_set():
            try:
                self._read()
            except requests.RequestException:
                self._stop.wait(0.5)

    def _read(self):
        query = {"watch": "1", "timeoutSeconds": WATCH_SECONDS}
        with self._api.session.get(
            self._api.server + self._path, params=query, stream=True, timeout=(TIMEOUT, 2 * WATCH_SECONDS)
        ) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=None):
                if self._stop.is_set():
                    return
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    self.seen.append((time.time(), event["object"]))
