"""P8: from the commit of an order to its event in another service's handler, at 100 events a second, with
three relays running, each process by itself as in earnest. The peer is polling once a second.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from sqlalchemy import text

from bench.measuring import at_most
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually

APPS = Path(__file__).parent / "apps"
RATE, EVENTS, CLIENTS = 100, 2_000, 4
PROCESSES = ["http", "relay", "relay", "relay", "consumer"]


def measure(world):
    database = world.database()
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": world.url_of(database),
        "KAFKA_BOOTSTRAP_SERVERS": world.kafka_settings.kafka_bootstrap_servers,
        "HTTP_PORT": str(port),
    }
    admin = [free_port() for _ in PROCESSES]
    _start("migrate", environment, free_port()).wait(60)
    started = [_start(process, environment, at) for process, at in zip(PROCESSES, admin, strict=True)]
    try:
        for at in admin:
            eventually(lambda at=at: _ready(at))
        _ping(port, 200)
        committed = _ping(port, EVENTS)
        arrived = eventually(lambda: _arrived(database, committed))
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(40)
    took = sorted((arrived[one] - at) * 1000 for one, at in committed.items())
    p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    shown = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    peer = "polling each second: p50 500 ms, p99 990 ms"
    return [at_most("P8 commit to handler, p99 in ms", ours=shown, peer=peer, value=p99, goal=50)]


def _start(process, environment, admin):
    argv = [sys.executable, "-m", "slipway_chassis", "run", "latency", process]
    environment = environment | {"ADMIN_PORT": str(admin)}
    return subprocess.Popen(argv, env=environment, cwd=APPS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _ready(admin):
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _ping(port, count):
    """Sends pings at an even rate; when the answer to each came, which is just after its commit."""
    committed = {}

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        due = time.perf_counter() + number / RATE
        for _ in range(count // CLIENTS):
            time.sleep(max(0.0, due - time.perf_counter()))
            due += CLIENTS / RATE
            connection.request("POST", "/v1/pings", headers={"Content-Length": "0"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            committed[uuid.UUID(body["id"])] = time.time()
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return committed


def _arrived(database, wanted):
    with database.transaction() as session:
        found = {row[0]: row[1] for row in session.execute(text("SELECT id, at FROM arrivals"))}
    return found if wanted.keys() <= found.keys() else None
