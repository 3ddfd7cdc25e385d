"""Whether orders and their events are all there, once, and in order: in the databases and in Kafka itself.

``world`` has ``rows(service, statement)`` and ``kafka_settings``.
"""

from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.stream import Envelope

TOPIC = "orders.order.v1"


def orders_of(world):
    """Status and version of every order, as orders has them."""
    rows = world.rows("orders", "SELECT id, status, version FROM orders")
    return {str(order): (status, version) for order, status, version in rows}


def listed(world):
    return {str(order): status for order, status in world.rows("users", "SELECT order_id, status FROM listed_orders")}


def assert_in_order(world, versions):
    """Each order's events are in Kafka in the order of their versions; repetitions only of what was there."""
    highest, ids = {}, {}
    for record in kafka_adapter.read_topic(world.kafka_settings, TOPIC):
        if not record.header("ce_id"):
            continue
        envelope = Envelope.of(record)
        assert ids.setdefault((envelope.subject, envelope.version), envelope.id) == envelope.id
        assert envelope.version <= highest.get(envelope.subject, 0) + 1, "an event overtook the one before it"
        highest[envelope.subject] = max(envelope.version, highest.get(envelope.subject, 0))
    assert highest == versions
