"""`slipway up` with the whole shop, in a process of its own; for tests that release, kill and restore it."""

import json
import os
import signal
import subprocess
import sys

import psycopg

from slipway_chassis.config import KafkaSettings
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually
from support.repository import ROOT

SLIPWAY = [sys.executable, "-m", "slipway_chassis"]


class Up:
    """`slipway up` in a process of its own, as people start it."""

    def __init__(self, folder, *, base):
        self.data, self.base = folder / "up", base
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "up.log"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        options = ["--data", self.data, "--port", self.port, "--base-port", self.base]
        # The log of this start alone, so that its last words can be waited for.
        with self.output.open("w") as output:
            command = [*SLIPWAY, "up", *map(str, options)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        eventually(lambda: "the gateway is at" in self.text() or self.process.poll() is not None, within=240)
        assert self.process.poll() is None, self.text()

    def text(self):
        return self.output.read_text()

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)

    def command(self, *words):
        return [*SLIPWAY, *words, "--data", str(self.data)]

    def slipway(self, *words):
        command = self.command(*words)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)

    def journal(self):
        file = self.data / "releases" / "orders" / "journal"
        return file.read_text() if file.exists() else ""

    def status(self):
        return json.loads((self.data / "releases" / "orders" / "status.json").read_text())

    def rows(self, service, statement):
        password = (self.data / "postgresql" / "password").read_text().strip()
        url = f"postgresql://{service}:{password}@127.0.0.1:{self.base}/{service}"
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    @property
    def kafka_settings(self):
        return KafkaSettings(kafka_bootstrap_servers=f"127.0.0.1:{self.base + 1}")
