"""The shop's services for tests: settings of their processes, and a customer who signs in at the gateway."""

import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

import requests

from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.system import read
from support.repository import ROOT

sys.path.append(str(ROOT / "services"))
import story

# Each process of the tests has a shop of its own, and a shop less than 200 ports.
BASE_PORT = 26000 + 200 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
KEY_AHEAD_SECONDS = 20  # so that a rotation fits into a test
SECRET = base64.urlsafe_b64encode(b"0" * 32).decode()


def settings_of(service, issuer="https://shop.example.org", audience="shop"):
    """What a process of the service needs besides PostgreSQL, Kafka and its ports."""
    trust = {"AUTH_ISSUER": issuer, "AUTH_AUDIENCE": audience}
    own = {"users": {"SIGNING_KEYS_SECRET": SECRET}}
    return {"PATH": os.environ["PATH"]} | trust | own.get(service, {})


class Customer:
    """Opens an account and signs in; ``call`` asks the gateway with a token that is never old."""

    REFRESH_SECONDS = 120  # of the 300 that a token lives

    def __init__(self, url):
        self.url = url
        self._client = story.Client(url)
        self._email, self._password = f"{uuid.uuid4().hex}@example.org", uuid.uuid4().hex
        self._lock = threading.Lock()
        body = {"name": "Ada", "email": self._email, "password": self._password}
        self.id = self._client.ask("POST", "/v2/users", body)["id"]
        self._sign_in()

    def _sign_in(self):
        self._client.sign_in(self._email, self._password, f"{story.SCOPES} users:write")
        self._until = time.monotonic() + self.REFRESH_SECONDS

    @property
    def token(self):
        with self._lock:
            if time.monotonic() > self._until:
                try:
                    self._sign_in()
                except OSError:  # it is being killed: the old one lives a while yet
                    self._until = time.monotonic() + 1
            return self._client.token

    def call(self, method, path, body=None, *, headers=None, timeout=20):
        """(status, JSON or None)."""
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname, address.port, timeout=timeout)
        try:
            sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"} | (headers or {})
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def page_when_signed_in(self):
        """The home page, as a browser sees it that signed in through the shop's own pages."""
        with requests.Session() as browser:
            form = browser.get(f"{self.url}/sign-in", timeout=20)
            answer = browser.post(form.url, data={"email": self._email, "password": self._password}, timeout=20)
            assert answer.status_code == 200, answer.text[:500]
            return answer.text


class Shop:
    """The whole shop on this machine, as `slipway up` runs it; ``url`` is its gateway."""

    def __init__(self, folder, machine, gateway_port):
        layout = Layout(folder, gateway=gateway_port, base=BASE_PORT)
        self.platform = Platform(layout, with_quick_keys(read(ROOT)), machine=machine, tell=lambda *_: None)
        self.url = layout.gateway_url

    def __enter__(self):
        try:
            self.platform.start()
        except BaseException:
            self.platform.stop()
            raise
        return self

    def __exit__(self, *_):
        self.platform.stop()

    def child(self, name):
        [found] = [child for child in self.platform.children if child.name == name]
        return found

    def slipway(self, service, *arguments):
        """A command with the environment of the service, as `kubectl exec` runs it in its pod."""
        environment = self.child(f"{service} http").env
        command = [sys.executable, "-m", "slipway_chassis", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def with_quick_keys(system):
    quick = {"SIGNING_KEY_AHEAD_SECONDS": str(KEY_AHEAD_SECONDS), "ACCESS_TOKEN_SECONDS": "300"}
    services = [
        one.model_copy(update={"env": {**one.env, **quick}}) if one.name == "users" else one for one in system.services
    ]
    auth = system.gateway.auth.model_copy(update={"jwks_cache_seconds": KEY_AHEAD_SECONDS // 4})
    gateway = system.gateway.model_copy(update={"auth": auth})
    return system.model_copy(update={"services": services, "gateway": gateway})
