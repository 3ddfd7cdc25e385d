"""P3: the home page of three parts against one part, and against a part that is slow or dead."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from bench.measuring import Rounds, at_most
from bench.p4_service import APPS
from slipway_chassis.embedded.processes import free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually
from support.shop import SECRET

REQUESTS, ROUNDS, CLIENTS = 160, 7, 4
NORMAL, SLOW = 0.01, 5.0


def measure():
    issuer = FakeIssuer().start()
    ports = {name: free_port() for name in ("parts", "grpc", "storefront", "admin")}
    parts = [sys.executable, "parts.py", str(ports["parts"]), str(ports["grpc"])]
    settings = {
        "PATH": os.environ["PATH"],
        "AUTH_ISSUER": issuer.url,
        "AUTH_AUDIENCE": issuer.audience,
        "USERS_URL": f"http://127.0.0.1:{ports['parts']}",
        "ORDERS_URL": f"http://127.0.0.1:{ports['parts']}",
        "INVENTORY_TARGET": f"127.0.0.1:{ports['grpc']}",
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "SESSION_SECRET": SECRET,
        "HTTP_PORT": str(ports["storefront"]),
        "ADMIN_PORT": str(ports["admin"]),
    }
    run = [sys.executable, "-m", "slipway_chassis", "run", "storefront", "http"]
    processes = [
        subprocess.Popen(argv, env=settings, cwd=APPS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for argv in (parts, run)
    ]
    try:
        for name in ("parts", "grpc", "storefront"):
            eventually(lambda name=name: port_open(ports[name]))
        token = issuer.token("0190a7c2-9f3e-7c4b-8d21-5e6f7a8b9c0d", scopes=["users:read"], lifetime=3600)
        asked = {"Authorization": f"Bearer {token}"}
        home = ports["storefront"], "/v1/home"
        eventually(lambda: not ask(*home, asked)["partial"])
        rounds = Rounds(
            {
                "three": lambda: statistics.median(times(*home, asked)),
                "one": lambda: statistics.median(times(*home, {})),
                "part": lambda: statistics.median(times(ports["parts"], "/v2/users/me", {})),
            },
            rounds=ROUNDS,
        )
        sick = sick_part(ports, asked)
    finally:
        for process in processes:
            process.terminate()
            process.wait(40)
        issuer.stop()
    three, one, part = (f"{rounds.median(name) * 1000:.1f} ms" for name in ("three", "one", "part"))
    return [
        at_most("P3 home of three parts / of one part", ours=three, peer=one,
                value=rounds.ratio("three", "one"), goal=1.3),
        at_most("P3 home of three parts / a part alone", ours=three, peer=f"{part}, of which it waits 10",
                value=rounds.ratio("three", "part"), goal=1.3),
        *sick,
    ]  # fmt: skip


def sick_part(ports, asked):
    """Users answers after five seconds: how long pages take, and how often it is asked."""
    home = ports["storefront"], "/v1/home"
    before = set_delay(ports, NORMAL)
    times(*home, asked)
    normal = set_delay(ports, SLOW)["users"] - before["users"]
    taken = sorted(times(*home, asked, partial=True))
    asked_often = set_delay(ports, SLOW)["users"] - before["users"] - normal
    p99 = taken[int(len(taken) * 0.99) - 1] * 1000
    return [
        at_most("P3 home with a part that takes 5 s, p99 in ms", ours=f"{p99:.0f} ms",
                peer=f"median {statistics.median(taken) * 1000:.0f} ms", value=p99, goal=500),
        at_most("P3 calls to the sick part / when it was well", ours=f"{asked_often} calls", peer=f"{normal} calls",
                value=asked_often / normal, goal=1.2),
    ]  # fmt: skip


def set_delay(ports, seconds):
    """How often each part was asked so far."""
    return ask(ports["parts"], f"/set?users={seconds}", {})


def ask(port, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def times(port, path, headers, *, partial=False):
    """Seconds of each of so many requests by a few clients; a partial page counts where it is expected alone."""
    taken, wrong = [], []

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(REQUESTS // CLIENTS):
            began = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            taken.append(time.perf_counter() - began)
            if answer.status != 200 or ("partial" in body and body["partial"] != partial):
                wrong.append(body)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise ValueError(f"{len(wrong)} of {len(taken)} answers were not as expected, for example {wrong[0]}")
    return taken
