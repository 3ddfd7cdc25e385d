"""Runs in a pod of the shop's network, with the chassis of its image: what databases and Kafka hold of one customer.

Usage: python - CUSTOMER, with the databases' URLs in ORDERS_URL and USERS_URL. Prints one JSON document. Its size must
stay that of the answer, whatever the topic holds, since a pod has little memory.
"""

import json
import os
import sys

import psycopg

from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.events import kafka
from slipway_chassis.events.stream import Envelope

TOPIC = "orders.order.v1"


def rows(service, statement, *parameters):
    with psycopg.connect(os.environ[f"{service.upper()}_URL"], connect_timeout=5) as connection:
        return connection.execute(statement, parameters).fetchall()


def main(customer):
    orders = rows("orders", "SELECT id, status, version FROM orders WHERE user_id = %s", customer)
    stored = {str(order): (status, version) for order, status, version in orders}
    listed = rows("users", "SELECT order_id, status FROM listed_orders WHERE user_id = %s", customer)
    outboxes = {name: rows(name, "SELECT count(*) FROM outbox")[0][0] for name in ("orders", "users")}
    highest, ids, repeated, misordered = dict.fromkeys(stored, 0), {}, 0, []
    for record in kafka.read_topic(load(KafkaSettings), TOPIC):
        if not record.header("ce_id"):
            continue
        envelope = Envelope.of(record)
        subject, version = envelope.subject, envelope.version
        if subject not in stored:
            continue
        if version in ids.setdefault(subject, {}):
            repeated += 1
            # The same event again is what at-least-once allows; another one of that version never.
            misordered += [] if ids[subject][version] == envelope.id else [subject]
        elif version != highest[subject] + 1:
            misordered.append(subject)
        ids[subject][version] = envelope.id
        highest[subject] = max(version, highest[subject])
    print(json.dumps({
        "orders": stored,
        "listed": {str(order): status for order, status in listed},
        "outboxes": outboxes,
        "published": highest,
        "repeated": repeated,
        "misordered": misordered,
    }))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
