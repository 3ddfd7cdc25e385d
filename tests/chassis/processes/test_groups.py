"""The group that others look at is the one that the consumer joins."""

import pytest

from orders.bootstrap import SERVICE as ORDERS
from slipway_chassis.processes import workers


class Reached(Exception):
    """The settings were taken, and the process goes on."""


def reached(*_, **__):
    raise Reached


@pytest.fixture(autouse=True, name="environment")
def _environment(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/orders")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(workers, "configure_logs", reached)
    return monkeypatch


@pytest.mark.parametrize("process", [workers.run_consumer, workers.run_worker])
def test_another_one_is_refused_with_the_cure_before_anything_connects(environment, process):
    environment.setenv("CONSUMER_GROUP", "eu")
    with pytest.raises(SystemExit, match=r"is eu, and this service joins orders: set release\.consumerGroup"):
        process(ORDERS)


@pytest.mark.parametrize(("process", "group"), [(workers.run_relay, "eu"), (workers.run_consumer, "orders")])
def test_who_joins_it_or_none_goes_on(environment, process, group):
    environment.setenv("CONSUMER_GROUP", group)
    with pytest.raises(Reached):
        process(ORDERS)
