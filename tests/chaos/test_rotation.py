"""Signing keys are rotated every ten seconds under load: no request gets a 401."""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from slipway_chassis.embedded.processes import free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from support.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ROTATIONS, EVERY_SECONDS, CLIENTS = 3, 10, 4


def test_rotated_keys_refuse_nobody(eventually):
    issuer = FakeIssuer(max_age=5).start()
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HTTP_PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "AUTH_ISSUER": issuer.url,
        "AUTH_AUDIENCE": "test",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway_chassis", "run", "ours", "http"],
        env=environment, cwd=ROOT / "tests" / "bench" / "apps", stdout=subprocess.DEVNULL,
    )  # fmt: skip
    answers, stop = Counter(), threading.Event()

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stop.wait(0.01):
            token = issuer.token(scopes=["items:read"])  # signed with the key in use now
            connection.request("GET", "/v1/items/7", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1

    try:
        eventually(lambda: port_open(port))
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in range(ROTATIONS):
            time.sleep(EVERY_SECONDS)
            issuer.rotate()
        before = answers[200]
        eventually(lambda: answers[200] > before + 100)
        stop.set()
        for thread in threads:
            thread.join(30)
    finally:
        stop.set()
        process.terminate()
        assert process.wait(40) == 0
        issuer.stop()
    assert set(answers) == {200}
    assert answers[200] > 500
