"""`slipway run NAME worker`: relay and consumer of a service in one process. It is asked to end, loses one of its
loops, and is killed; no event is lost, doubled or out of order.
"""

import os
import random
import signal
import time
import uuid

import pytest

from slipway_chassis.testing.plugin import eventually
from support.depot_world import (
    Clerks,
    World,
    assert_all_is_in_kafka_once_and_in_order,
    assert_each_was_applied_once_and_in_order,
)

NAME = f"depot{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module", name="world")
def _world(postgresql, kafka, run_folder):
    world = World(NAME, postgresql, kafka.bootstrap_servers, run_folder / NAME)
    yield world
    world.worker.stop()
    world.database.close()


@pytest.fixture(name="running")
def _running(world):
    if not world.worker.alive:
        world.start()
    return world


def place(world, count):
    before = world.count("receipts")
    for _ in range(count):
        world.place(uuid.uuid4())
    return before + count


@pytest.mark.integration
class TestOneProcess:
    def test_it_sends_and_reads_and_tells_of_both(self, running):
        wanted = place(running, 20)

        eventually(lambda: running.count("receipts") == wanted, within=60)
        eventually(lambda: running.count("outbox") == 0, within=60)
        assert running.metric("outbox_published_total") == 2 * running.metric("events_consumed_total")
        assert running.metric("outbox_shards_owned") > 0
        assert [each.rpartition("-")[0] for each in running.members()] == [f"{NAME}-consumer-dev"]
        assert '"process.title": "worker"' in running.worker.log.read_text()

    def test_asked_to_end_it_leaves_nothing_behind_that_it_had_in_hand(self, running):
        before = running.count("receipts")
        place(running, 300)
        eventually(lambda: running.count("receipts") > before, within=60)

        running.worker.ask_to_end()

        assert running.worker.wait(60) == 0
        assert running.members() == [], "it has left its group"
        assert running.rows(f"SELECT count(*) FROM outbox WHERE topic = '{running.receipts}'") == [(0,)], (
            "what its last handlers wrote was sent"
        )
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
        assert running.rows(f"{locks} WHERE datname = '{NAME}')") == [(0,)]
        assert "Traceback" not in running.worker.log.read_text()

    def test_without_one_of_its_loops_it_ends_to_be_started_again(self, running):
        running.rows("ALTER TABLE outbox RENAME TO elsewhere")

        try:
            assert running.worker.wait(90) != 0
        finally:
            running.rows("ALTER TABLE elsewhere RENAME TO outbox")
        assert "the relay ended by itself" in running.worker.log.read_text()
        assert running.members() == [], "the consumer had finished and left"
        running.start()
        wanted = place(running, 5)
        eventually(lambda: running.count("receipts") >= wanted, within=60)


@pytest.mark.parametrize(
    ("kills", "rate"),
    [pytest.param(3, 50, id="3 times", marks=[pytest.mark.integration, pytest.mark.core]),
     pytest.param(20, 200, id="20 times", marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)  # fmt: skip
def test_killed_at_any_moment_it_loses_doubles_and_misorders_nothing(running, kills, rate):
    chance, before = random.Random(20), running.count("orders")

    with Clerks(running, rate) as clerks:
        for _ in range(kills):
            had = running.count("receipts")
            # The next member of the group gets its partitions when the dead one is given up: some ten seconds.
            eventually(lambda had=had: running.count("receipts") > had, within=120)
            time.sleep(chance.uniform(0, 1.5))
            os.kill(running.worker.pid, signal.SIGKILL)
            eventually(lambda: not running.worker.alive, within=30)
            running.start()

    placed = sum(version for (version,) in running.rows("SELECT version FROM orders"))
    eventually(lambda: running.count("receipts") >= placed, within=300, every=0.5)
    eventually(lambda: running.count("outbox") == 0, within=120, every=0.5)
    written = f"{running.count('orders') - before} orders, {placed} events, {clerks.per_second:.0f} a second"
    print(f"{written}, {kills} kills")
    assert_each_was_applied_once_and_in_order(running)
    assert_all_is_in_kafka_once_and_in_order(running)
