"""Whether a shop is whole after whatever happened to it: orders = events = projections = reservations = stock. Pure.

It is told what was seen from outside and from inside, and gives sentences, one for each fault; none is a shop that is
whole. Its own test plants each fault (tests/chaos/test_checker.py).
"""

from collections import Counter
from dataclasses import dataclass, field

# The state of a reservation that goes with the final state of its order.
ENDS = {"paid": {"sold"}, "cancelled": {"released"}, "rejected": {"released", "rejected"}}
AT_MOST = 5  # sentences of one kind


@dataclass(frozen=True, slots=True)
class Seen:
    """``told``: what clients were answered, placed order → the last state that an answer promised ("" for none).
    ``orders``: id → (status, version) as stored. ``events``: (order, version, event's id) as they lie in the topic.
    ``listed``: the projection. ``reservations``: id → status. ``stock``: (available, reserved, sold) at the end, and
    ``before``: available at the beginning. ``outboxes``: rows left, by service.
    """

    told: dict
    orders: dict
    events: list
    listed: dict
    reservations: dict
    stock: tuple
    before: int
    outboxes: dict = field(default_factory=dict)


def faults(seen):
    """Sentences; empty where nothing is lost, doubled or out of order."""
    found = [*_orders(seen), *_events(seen), *_projection(seen), *_reservations(seen), *_stock(seen)]
    left = [f"the outbox of {service} has {rows} rows left" for service, rows in seen.outboxes.items() if rows]
    return [*found, *left]


def _some(sentences):
    sentences = list(sentences)
    more = [f"... and {len(sentences) - AT_MOST} more like it"] if len(sentences) > AT_MOST else []
    return [*sentences[:AT_MOST], *more]


def _orders(seen):
    stored = seen.orders
    return [
        *_some(f"order {one} was acknowledged and is not stored" for one in sorted(seen.told.keys() - stored.keys())),
        *_some(f"order {one} is stored and nobody placed it" for one in sorted(stored.keys() - seen.told.keys())),
        *_some(
            f"order {one} is {stored[one][0]}, and its client was told {state}"
            for one, state in seen.told.items()
            if state and one in stored and stored[one][0] != state
        ),
        *_some(f"order {one} is left {status}" for one, (status, _) in stored.items() if status not in ENDS),
    ]


def _events(seen):
    highest, ids, wrong = {}, {}, []
    for order, version, event in seen.events:
        known = ids.setdefault((order, version), event)
        if known != event:
            wrong.append(f"version {version} of order {order} is two events: {known} and {event}")
        if version > highest.get(order, 0) + 1:
            wrong.append(f"version {version} of order {order} comes after version {highest.get(order, 0)}")
        highest[order] = max(version, highest.get(order, 0))
    expected = {order: version for order, (_, version) in seen.orders.items()}
    lost = (
        f"order {one} has version {version}, and its events end at {highest.get(one, 0)}"
        for one, version in expected.items()
        if highest.get(one, 0) != version
    )
    ghosts = (f"order {one} has events, and is not stored" for one in sorted(highest.keys() - expected.keys()))
    return [*_some(wrong), *_some(lost), *_some(ghosts)]


def _projection(seen):
    expected = {order: status for order, (status, _) in seen.orders.items()}
    differ = [one for one in sorted(expected.keys() | seen.listed.keys()) if expected.get(one) != seen.listed.get(one)]
    return _some(
        f"order {one} is {expected.get(one, 'not there')}, and listed as {seen.listed.get(one, 'not there')}"
        for one in differ
    )


def _reservations(seen):
    without = sorted(seen.orders.keys() - seen.reservations.keys())
    orphans = sorted(seen.reservations.keys() - seen.orders.keys())
    return [
        *_some(f"order {one} never had a reservation" for one in without),
        *_some(f"the reservation {one} has no order" for one in orphans),
        *_some(
            f"order {one} is {status}, and its reservation {seen.reservations[one]}"
            for one, (status, _) in seen.orders.items()
            if one in seen.reservations and seen.reservations[one] not in ENDS.get(status, {seen.reservations[one]})
        ),
    ]


def _stock(seen):
    sold = Counter(status for status, _ in seen.orders.values())["paid"]
    expected = (seen.before - sold, 0, sold)
    if seen.stock == expected:
        return []
    return [f"of {seen.before} items {sold} were paid, and the shelf says (available, reserved, sold) {seen.stock}"]
