"""Runs the benchmarks, prints a table and writes build/bench.json. Usage: python tests/bench/run.py [NAME]

NAME is a part of a benchmark's name (p7, relay). Exit code 1 when a goal is not reached.
"""

import importlib
import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

from pydantic import SecretStr  # noqa: E402

from slipway_chassis.config import KafkaSettings, MachineSettings, load  # noqa: E402
from slipway_chassis.database import Database  # noqa: E402
from slipway_chassis.embedded import kafka, postgresql  # noqa: E402
from slipway_chassis.embedded.processes import free_port  # noqa: E402
from support import figure_tables  # noqa: E402

BENCHMARKS = [
    "p1_gateway", "p3_home", "p4_service", "p6_outbox", "p7_relay", "p8_latency", "p9_inbox", "p10_operator",
]  # fmt: skip
ON_CLUSTER = ["p11_switch"]  # measured when named: it needs the kind cluster of `make deploy`


class World:
    """PostgreSQL and Kafka for all benchmarks of a run, started when first asked for."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
        self._folder.chmod(0o755)
        self._postgresql = self._kafka = None
        self._databases = []

    def database(self):
        if self._postgresql is None:
            self._postgresql = postgresql.start(self._folder / "postgresql", port=free_port())
        url = self._postgresql.ensure_database(f"b{uuid.uuid4().hex[:8]}")
        database = Database(SecretStr(url.replace("postgresql://", "postgresql+psycopg://")), application_name="bench")
        self._databases.append(database)
        return database

    @staticmethod
    def url_of(database):
        return database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")

    @property
    def kafka_settings(self):
        if self._kafka is None:
            ports = {"port": free_port(), "controller_port": free_port()}
            self._kafka = kafka.start(self._folder / "kafka", machine=load(MachineSettings), **ports)
        return KafkaSettings(kafka_bootstrap_servers=self._kafka.bootstrap_servers)

    def close(self):
        for database in self._databases:
            database.close()
        for server in (self._kafka, self._postgresql):
            if server:
                server.child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def main(wanted):
    chosen = [name for name in BENCHMARKS + (ON_CLUSTER if wanted else []) if wanted in name]
    if not chosen:
        sys.exit(f"error: no benchmark is called {wanted!r}, only: {', '.join(BENCHMARKS + ON_CLUSTER)}")
    figures, world = [], World()
    try:
        for name in chosen:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            measure = importlib.import_module(f"bench.{name}").measure
            figures += measure(world) if measure.__code__.co_argcount else measure()
    finally:
        world.close()
    build = TESTS.parent / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps([figure.as_json() for figure in figures], indent=2) + "\n")
    if figure_tables.wanted():
        figure_tables.write("performance", [[*figure.cells(), figure_tables.machine()] for figure in figures])
    print(f"{'':2}  {'ratio':>7}  {'goal':>8}  what")
    for figure in figures:
        print(f"{'ok' if figure.holds else 'NO'}  {figure.ratio:>7}  {figure.goal:>8}  {figure.name}")
        print(f"{'':23}{figure.ours}  against  {figure.peer}")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
