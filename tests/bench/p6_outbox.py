"""P6: commits a second with the outbox, against the same two INSERTs written by hand in the same session."""

import time

from sqlalchemy import text
from uuid_utils.compat import uuid7

from bench import events
from bench.measuring import Rounds, at_least
from slipway_chassis.events.outbox import shard_of

COMMITS, ROUNDS = 1_000, 9
BY_HAND = text(
    "INSERT INTO outbox (event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source,"
    " payload) VALUES (:event_id, :topic, 'order', :aggregate_id, 1, :shard, :type, '/bench', :payload)"
)


class _PlainOrder:
    """Mapped to the same table, and known to no outbox."""

    def __init__(self, order_id, item):
        self.id, self.item, self.version = order_id, item, 1


def measure(world):
    database = world.database()
    events.prepare(database)
    events.registry(metadata=events.MetaData()).map_imperatively(_PlainOrder, events.orders)

    def with_outbox():
        with database.transaction() as session:
            session.add(events.Order.place("tea"))

    def by_hand():
        order_id = uuid7()
        with database.transaction() as session:
            session.add(_PlainOrder(order_id, "tea"))
            session.flush()
            session.execute(
                BY_HAND,
                {
                    "event_id": uuid7(),
                    "topic": events.STREAM.topic,
                    "aggregate_id": str(order_id),
                    "shard": shard_of(str(order_id)),
                    "type": events.TYPE,
                    "payload": f'{{"order_id":"{order_id}","item":"tea"}}',
                },
            )

    def order_only():
        with database.transaction() as session:
            session.add(_PlainOrder(uuid7(), "tea"))

    def seconds(commit):
        started = time.perf_counter()
        for _ in range(COMMITS):
            commit()
        return (time.perf_counter() - started) / COMMITS

    contenders = {"outbox": with_outbox, "hand": by_hand, "order": order_only}
    for commit in contenders.values():
        seconds(commit)
    rounds = Rounds({name: lambda one=one: seconds(one) for name, one in contenders.items()}, rounds=ROUNDS)
    shown = {name: f"{1 / rounds.median(name):.0f} commits/s" for name in contenders}
    return [
        at_least(
            "P6 outbox / INSERTs by hand",
            ours=shown["outbox"],
            peer=shown["hand"],
            ratio=rounds.ratio("hand", "outbox"),
            goal=0.93,
        ),
        at_least(
            "P6 outbox / order alone (for comparison)",
            ours=shown["outbox"],
            peer=shown["order"],
            ratio=rounds.ratio("order", "outbox"),
            goal=0.0,
        ),
    ]
