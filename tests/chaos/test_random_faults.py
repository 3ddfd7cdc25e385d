"""Orders are placed, paid, cancelled and left alone while faults befall the shop that SEED draws (support.chaos_plan).

`make chaos SEED=7 MINUTES=30` does it again: the same faults in the same order. What is left is compared by
support.chaos_checker, in the databases and in Kafka itself.
"""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.stream import Envelope
from slipway_chassis.testing.plugin import eventually
from support import chaos_checker, chaos_plan, figure_tables
from support.orders_audit import TOPIC, listed, orders_of
from support.shop import Customer
from support.shop_world import FINAL, SKU, Shoppers, running

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10_000))
SECONDS = 60 * float(os.environ.get("MINUTES") or 2)
AFTERWARDS = 900  # at most, until the last saga has ended
pytestmark = [pytest.mark.demo, pytest.mark.soak, pytest.mark.timeout(8 * SECONDS + AFTERWARDS + 600)]
BASE_PORT = 22000
RATE, CLIENTS = 40, 8
SERVICES = ("orders", "inventory", "users")


@pytest.fixture(name="world")
def _world(run_folder, machine):
    with running(run_folder / "chaos", machine, base=BASE_PORT) as world:
        yield world


def befall(world, fault):
    """Does it, once all that it needs is alive; what it kills is started again by the world."""
    for victim in fault.victims:
        eventually(lambda victim=victim: world.child(victim).alive, within=120)
    if fault.kind == "pause":
        family = world.child(fault.victims[0]).family()
        each(family, signal.SIGSTOP)
        try:
            time.sleep(fault.seconds)
        finally:
            each(family, signal.SIGCONT)
    elif fault.kind == "restart":
        with world.held():
            world.child(fault.victims[0]).stop()
    else:
        for victim in fault.victims:
            world.kill(victim)


def each(processes, number):
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def stock_of(world):
    [stock] = world.rows("inventory", f"SELECT available, reserved, sold FROM items WHERE sku = '{SKU}'")
    return tuple(stock)


def events_of(world):
    records = kafka_adapter.read_topic(world.kafka_settings, TOPIC)
    envelopes = [Envelope.of(record) for record in records if record.header("ce_id")]
    return [(one.subject, one.version, one.id) for one in envelopes]


def seen(world, shop, before):
    told = {**dict.fromkeys(shop.placed, ""), **dict.fromkeys(shop.cancelled, "cancelled")}
    return chaos_checker.Seen(
        told=told | dict.fromkeys(shop.paid, "paid"),
        orders=orders_of(world),
        events=events_of(world),
        listed=listed(world),
        reservations={str(one): state for one, state in world.rows("inventory", "SELECT id, status FROM reservations")},
        stock=stock_of(world),
        before=before,
        outboxes={service: world.rows(service, "SELECT count(*) FROM outbox")[0][0] for service in SERVICES},
    )


def is_at_rest(world, shop, before):
    """Nothing is on its way any more, as far as this can be told; what is wrong then stays wrong."""
    if not {status for status, _ in orders_of(world).values()} <= FINAL:
        return False
    return not chaos_checker.faults(seen(world, shop, before))


def figures_of(plan, result):
    """Of its row in docs/reliability.md."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(fault.kind for fault in plan).items()))
    wrong = len(chaos_checker.faults(result))
    run = f"`make chaos SEED={SEED} MINUTES={SECONDS / 60:g}`"
    return [run, kinds, str(len(result.orders)), str(len(result.events)), str(wrong), figure_tables.machine()]


def test_whatever_befalls_the_shop_nothing_is_lost_doubled_or_misordered(world):
    plan = chaos_plan.draw(SEED, SECONDS)
    print(f"make chaos SEED={SEED} MINUTES={SECONDS / 60:g}: {dict(Counter(fault.kind for fault in plan))}")
    eventually(lambda: world.rows("inventory", f"SELECT sku FROM items WHERE sku = '{SKU}'"), within=120)
    before = stock_of(world)[0]

    customer = Customer(world.platform.layout.gateway_url)
    with Shoppers(customer, rate=RATE, clients=CLIENTS, seconds=8 * SECONDS) as shop:
        for fault in plan:
            assert shop.errors == []
            time.sleep(fault.after)
            befall(world, fault)
        peaceful = len(shop.placed)
        eventually(lambda: shop.errors or len(shop.placed) > peaceful + 20, within=180)

    assert shop.errors == []
    with suppress(AssertionError):  # then the sentences say what is missing
        eventually(lambda: is_at_rest(world, shop, before), within=AFTERWARDS, every=3)
    result = seen(world, shop, before)
    if figure_tables.wanted():
        figure_tables.write("reliability", [figures_of(plan, result)])
    print(f"{len(shop.placed)} orders, {dict(Counter(status for status, _ in result.orders.values()))}")
    assert chaos_checker.faults(result) == [], f"again: make chaos SEED={SEED} MINUTES={SECONDS / 60:g}"
    assert shop.placed
