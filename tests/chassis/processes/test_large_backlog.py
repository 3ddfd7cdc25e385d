"""100,000 events of mixed size that wait when a worker starts: within the memory that the chart gives it, while orders
are placed beside, and nothing is lost, doubled or out of order. 152 MB of payloads, some four minutes on two cores.
"""

import json
import uuid
from pathlib import Path

import psutil
import pytest
import yaml

from slipway_chassis.events.outbox import shard_of
from slipway_chassis.testing.plugin import eventually
from support.depot_world import (
    Clerks,
    World,
    assert_all_is_in_kafka_once_and_in_order,
    assert_each_was_applied_once_and_in_order,
)
from support.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(2400)]
NAME = f"backlog{uuid.uuid4().hex[:8]}"
ORDERS, EACH = 10_000, 10
# One in so many events is filled up to so many bytes.
LARGE = {1_000: 700_000, 113: 60_000}
CHART = yaml.safe_load((ROOT / "charts/service/values.yaml").read_text())
LIMIT = CHART["worker"]["resources"]["limits"]["memory"]


@pytest.fixture(name="world")
def _world(postgresql, kafka, run_folder):
    world = World(NAME, postgresql, kafka.bootstrap_servers, run_folder / NAME)
    yield world
    world.worker.stop()
    world.database.close()


def fill(world):
    """As a service has left it whose relay was away: orders, and the events of each; gives the payloads' bytes."""
    orders = [uuid.uuid4() for _ in range(ORDERS)]
    written = 0
    with world.database.transaction() as session:
        cursor = session.connection().connection.cursor()
        with cursor.copy("COPY orders (id, version) FROM STDIN") as copy:
            for order in orders:
                copy.write_row((order, EACH))
        columns = "event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source, payload"
        with cursor.copy(f"COPY outbox ({columns}) FROM STDIN") as copy:
            for number in range(ORDERS * EACH):  # each version of all orders, then the next: as they would come
                order, version = str(orders[number % ORDERS]), number // ORDERS + 1
                payload = json.dumps({"number": version, "note": "x" * filling(number)})
                written += len(payload)
                copy.write_row((uuid.uuid4(), world.orders, "order", order, version, shard_of(order),
                                "depot.OrderChanged.v1", f"/{NAME}", payload))  # fmt: skip
    return written


def filling(number):
    return next((size for every, size in LARGE.items() if number % every == every - 1), 200)


def peak(world):
    """Bytes, the most that the worker's processes together ever had resident."""
    family = [psutil.Process(world.worker.pid), *psutil.Process(world.worker.pid).children(recursive=True)]
    found = 0
    for process in family:
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        found += next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return found


def test_a_large_backlog_is_worked_off_within_the_chart_s_memory(world):
    written = fill(world)
    assert written > 100_000_000
    assert LIMIT.endswith("Mi")
    world.start()

    with Clerks(world, 20) as clerks:  # which ends with an error if one of their transactions fails
        eventually(lambda: world.count("receipts") >= ORDERS * EACH, within=1800, every=1)

    placed = sum(version for (version,) in world.rows("SELECT version FROM orders"))
    assert placed == ORDERS * EACH + len(clerks.written)
    eventually(lambda: world.count("receipts") >= placed, within=300, every=0.5)
    eventually(lambda: world.count("outbox") == 0, within=300, every=0.5)
    most = peak(world)
    print(f"{ORDERS * EACH:,} events, {written >> 20} MiB; {len(clerks.written)} beside; {most >> 20} MiB of {LIMIT}")
    assert_each_was_applied_once_and_in_order(world)
    assert_all_is_in_kafka_once_and_in_order(world)
    assert most < int(LIMIT.removesuffix("Mi")) << 20
