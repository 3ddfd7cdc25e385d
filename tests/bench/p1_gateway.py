"""P1 and P2: what Envoy with the shop's filters costs before a service, token checked, against none and Flask's."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.measuring import Clients, Rounds, at_least, at_most, cpu_of
from bench.measuring import _read_answer as read_answer
from bench.p4_service import APPS, _gunicorn
from slipway_chassis.embedded.processes import free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually
from slipway_gateway.binary import envoy_binary
from slipway_gateway.envoy import envoy_config
from slipway_gateway.settings_file import checked

REQUESTS, ROUNDS, CLIENTS = 2_000, 15, 8
SAMPLES, LATENCY_ROUNDS = 300, 11


def _settings(issuer, upstream, port):
    """The shop's gateway with one service behind it; its limit per client out of the way."""
    issuer_host, _, issuer_port = issuer.url.removeprefix("http://").partition(":")
    return checked({
        "listen": {"port": port, "tlsPort": free_port(), "metricsPort": free_port(), "adminPort": free_port()},
        "auth": {"issuer": issuer.url, "audience": issuer.audience, "jwksUpstream": "issuer"},
        "rateLimit": {"perClient": {"requests": 1_000_000, "seconds": 1}},
        "upstreams": {
            "items": {"address": "127.0.0.1", "port": upstream},
            "issuer": {"address": issuer_host, "port": int(issuer_port)},
        },
        "routes": [{"prefix": "/v1/items", "methods": ["GET"], "upstream": "items", "scopes": ["items:read"]}],
    })  # fmt: skip


def measure():
    issuer = FakeIssuer().start()
    ports = {name: free_port() for name in ("direct", "envoy", "flask")}
    environment = {"PATH": os.environ["PATH"], "AUTH_ISSUER": issuer.url}
    environment["UPSTREAM"] = f"http://127.0.0.1:{ports['direct']}"
    config = Path(tempfile.mkdtemp(prefix="slipway-bench-")) / "envoy.json"
    config.write_text(json.dumps(envoy_config(_settings(issuer, ports["direct"], ports["envoy"]))))
    envoy = [envoy_binary(), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    started = {
        "direct": _gunicorn("bare", ports["direct"]),
        "envoy": envoy,
        "flask": _gunicorn("flask_gateway", ports["flask"]),
    }
    processes = {
        name: subprocess.Popen(argv, env=environment, cwd=APPS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, argv in started.items()
    }
    try:
        for port in ports.values():
            eventually(lambda port=port: port_open(port))
        token = issuer.token(scopes=["items:read"], lifetime=3600)
        request = f"GET /v1/items/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        refused(ports["envoy"])
        spent = {name: [] for name in ports}
        clients = {name: Clients(port, request, threads=CLIENTS) for name, port in ports.items()}
        pids = {name: process.pid for name, process in processes.items()}

        def rate(name):
            """Requests a second; on the side, the processor time of the service and of what stands before it."""
            taken = {pids["direct"], pids[name]}
            before = sum(cpu_of(pid) for pid in taken)
            seconds = clients[name].send(REQUESTS)
            spent[name].append((sum(cpu_of(pid) for pid in taken) - before) / REQUESTS * 1e6)
            return REQUESTS / seconds

        for name in clients:
            rate(name)  # warm
        spent = {name: [] for name in clients}
        rates = Rounds({name: lambda name=name: rate(name) for name in clients}, rounds=ROUNDS)
        latencies = {name: lambda name=name: latency(ports[name], request) for name in ("direct", "envoy")}
        waits = Rounds(latencies, rounds=LATENCY_ROUNDS)
        memory = psutil.Process(pids["envoy"]).memory_info().rss / 1e6
    finally:
        for process in processes.values():
            process.terminate()
            process.wait(40)
        issuer.stop()
    cpu = {name: f"{statistics.median(times):.0f} us CPU" for name, times in spent.items()}
    shown = {name: f"{rates.median(name):.0f} requests/s ({cpu[name]} each)" for name in ports}
    p50 = {name: f"p50 {waits.median(name):.2f} ms" for name in latencies}
    return [
        at_least("P1 Envoy with ES256 / direct", ours=shown["envoy"], peer=shown["direct"],
                 ratio=rates.ratio("envoy", "direct"), goal=0.85),
        at_least("P1 Envoy with ES256 / Flask gateway", ours=shown["envoy"], peer=shown["flask"],
                 ratio=rates.ratio("envoy", "flask"), goal=2.3),
        at_most("P2 added by Envoy at one client, p50 in ms", ours=p50["envoy"], peer=p50["direct"],
                value=waits.median("envoy") - waits.median("direct"), goal=0.35),
        at_most("P1 memory of the gateway in MB", ours=f"{memory:.0f} MB resident", peer="one worker thread",
                value=memory, goal=120),
    ]  # fmt: skip


def latency(port, request):
    """Median milliseconds of one client that waits for each answer."""
    times = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(SAMPLES):
            began = time.perf_counter()
            connection.sendall(request)
            read_answer(connection)
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def refused(port):
    """A run in which the gateway lets everybody through would measure nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /v1/items/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer e30.e30.e30\r\n\r\n")
        if not connection.recv(4096).startswith(b"HTTP/1.1 401"):
            sys.exit("error: the gateway takes a falsified token")
