"""P4: what the whole chassis costs around a small view: token, scope, logs, metrics, traces, deadline."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.measuring import Clients, Rounds, at_least, cpu_of
from slipway_chassis.embedded.processes import free_port, port_open
from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually

APPS = Path(__file__).parent / "apps"
REQUESTS, ROUNDS = 2_000, 15
SAMPLED = "0.1"  # the chassis' default; the usual stack is given the same


class _Collector(BaseHTTPRequestHandler):
    """Takes spans and forgets them."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def _gunicorn(app, port, *, before=()):
    options = ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--keep-alive", "75"]
    return [*before, sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", f"{app}:app"]


def measure():
    collector = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    issuer = FakeIssuer().start()
    ports = {name: free_port() for name in ("bare", "usual", "ours")}
    environment = {"PATH": os.environ["PATH"], "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    usual = environment | {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": SAMPLED,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    ours = environment | {
        "HTTP_PORT": str(ports["ours"]),
        "ADMIN_PORT": str(free_port()),
        "TRACE_SAMPLE_RATIO": SAMPLED,
        "AUTH_ISSUER": issuer.url,
        "AUTH_AUDIENCE": "test",
    }
    instrument = Path(sys.executable).parent / "opentelemetry-instrument"
    started = {
        "bare": (_gunicorn("bare", ports["bare"]), environment),
        "usual": (_gunicorn("usual", ports["usual"], before=[instrument]), usual),
        "ours": ([sys.executable, "-m", "slipway_chassis", "run", "ours", "http"], ours),
    }
    processes = {
        name: subprocess.Popen(argv, env=env, cwd=APPS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, (argv, env) in started.items()
    }
    try:
        for port in ports.values():
            eventually(lambda port=port: port_open(port))
        token = issuer.token(scopes=["items:read"], lifetime=3600)
        request = f"GET /v1/items/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        clients = {name: Clients(port, request) for name, port in ports.items()}

        def cpu_per_request(name):
            before = cpu_of(processes[name].pid)
            clients[name].send(REQUESTS)
            return (cpu_of(processes[name].pid) - before) / REQUESTS * 1e6

        for name in clients:
            cpu_per_request(name)  # warm
        rounds = Rounds({name: lambda name=name: cpu_per_request(name) for name in clients}, rounds=ROUNDS)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait(40)
        collector.shutdown()
        issuer.stop()
    shown = {name: f"{rounds.median(name):.0f} us CPU a request" for name in ports}
    return [
        at_least(
            f"P4 chassis / {what}", ours=shown["ours"], peer=shown[peer], ratio=rounds.ratio(peer, "ours"), goal=goal
        )
        for peer, what, goal in (("bare", "bare Flask", 0.85), ("usual", "usual stack", 1.3))
    ]
