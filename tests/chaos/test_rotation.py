"""Signing keys are rotated every ten seconds under load: no request gets a 401."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from slipway_chassis.embedded.processes import free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from support.load import Load
from support.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ROTATIONS, EVERY_SECONDS, CLIENTS, RATE = 3, 10, 4, 200
ITEM = ("GET", "/v1/items/7", None)


@dataclass
class Reader:
    url: str
    issuer: FakeIssuer

    @property
    def token(self):
        """Signed with the key in use now."""
        return self.issuer.token(scopes=["items:read"])


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
    try:
        eventually(lambda: port_open(port))
        with Load(Reader(f"http://127.0.0.1:{port}", issuer), [ITEM], rate=RATE, clients=CLIENTS) as load:
            for _ in range(ROTATIONS):
                time.sleep(EVERY_SECONDS)
                issuer.rotate()
            load.wait_for(100)
    finally:
        process.terminate()
        assert process.wait(40) == 0
        issuer.stop()
    assert load.failures == []
    assert set(load.answers) == {200}
    assert load.answers[200] > 500
