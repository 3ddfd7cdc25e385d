"""The checker of a shop that was tormented finds each fault that is planted, and none where there is none."""

from dataclasses import replace

import pytest

from support.chaos_checker import Seen, faults
from support.chaos_plan import KINDS, PROCESSES, SERVERS, draw

WHOLE = Seen(
    told={"a": "paid", "b": "cancelled", "c": ""},
    orders={"a": ("paid", 3), "b": ("cancelled", 2), "c": ("rejected", 2)},
    events=[("a", 1, "a1"), ("b", 1, "b1"), ("a", 2, "a2"), ("c", 1, "c1"), ("a", 3, "a3"), ("b", 2, "b2"),
            ("c", 2, "c2")],
    listed={"a": "paid", "b": "cancelled", "c": "rejected"},
    reservations={"a": "sold", "b": "released", "c": "rejected"},
    stock=(9, 0, 1),
    before=10,
    outboxes={"orders": 0, "users": 0},
)  # fmt: skip


def without(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


PLANTED = {
    "an order is lost": (
        {"orders": without(WHOLE.orders, "c")}, "order c was acknowledged and is not stored"),
    "an order is placed twice": (
        {"orders": {**WHOLE.orders, "d": ("rejected", 1)}}, "order d is stored and nobody placed it"),
    "an answer is taken back": (
        {"orders": {**WHOLE.orders, "b": ("paid", 2)}}, "order b is paid, and its client was told cancelled"),
    "a saga stands": (
        {"orders": {**WHOLE.orders, "c": ("placed", 2)}}, "order c is left placed"),
    "the last event is lost": (
        {"events": WHOLE.events[:-1]}, "order c has version 2, and its events end at 1"),
    "an event in the middle is lost": (
        {"events": [one for one in WHOLE.events if one[2] != "a2"]}, "version 3 of order a comes after version 1"),
    "two events are swapped": (
        {"events": [*WHOLE.events[:2], WHOLE.events[4], WHOLE.events[3], WHOLE.events[2], *WHOLE.events[5:]]},
        "version 3 of order a comes after version 1"),
    "one version is told as two events": (
        {"events": [*WHOLE.events, ("a", 3, "other")]}, "version 3 of order a is two events: a3 and other"),
    "an event of a rolled back order is told": (
        {"events": [*WHOLE.events, ("z", 1, "z1")]}, "order z has events, and is not stored"),
    "the projection is behind": (
        {"listed": {**WHOLE.listed, "a": "confirmed"}}, "order a is paid, and listed as confirmed"),
    "the projection lacks an order": (
        {"listed": without(WHOLE.listed, "b")}, "order b is cancelled, and listed as not there"),
    "a reservation is not given back": (
        {"reservations": {**WHOLE.reservations, "b": "held"}}, "order b is cancelled, and its reservation held"),
    "a reservation is missing": (
        {"reservations": without(WHOLE.reservations, "c")}, "order c never had a reservation"),
    "a reservation has no order": (
        {"reservations": {**WHOLE.reservations, "z": "held"}}, "the reservation z has no order"),
    "an item is sold twice": ({"stock": (8, 0, 2)}, "of 10 items 1 were paid"),
    "an item stays reserved": ({"stock": (8, 1, 1)}, "of 10 items 1 were paid"),
    "an outbox is not empty": ({"outboxes": {"orders": 3}}, "the outbox of orders has 3 rows left"),
}  # fmt: skip


def test_a_shop_that_is_whole_has_no_fault():
    assert faults(WHOLE) == []


def test_an_event_that_is_sent_again_is_no_fault():
    assert faults(replace(WHOLE, events=[*WHOLE.events, *WHOLE.events[:3]])) == []


@pytest.mark.parametrize(("planted", "sentence"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(planted, sentence):
    assert any(found.startswith(sentence) for found in faults(replace(WHOLE, **planted)))


def test_a_fault_of_all_orders_is_told_in_a_few_sentences():
    many = {f"o{number}": "paid" for number in range(1000)}

    assert len(faults(replace(WHOLE, told=many))) < 20


def test_a_seed_draws_the_same_faults_and_a_longer_plan_begins_like_a_shorter_one():
    assert draw(7, 600) == draw(7, 600)
    assert draw(7, 600)[: len(draw(7, 120))] == draw(7, 120)
    assert draw(7, 120) != draw(8, 120)


def test_in_half_an_hour_each_kind_befalls_nearly_everything():
    plan = draw(1, 1800)

    assert {fault.kind for fault in plan} == set(KINDS)
    assert {victim for fault in plan for victim in fault.victims} == {*PROCESSES, *SERVERS}
    assert sum(fault.after + fault.seconds for fault in plan) <= 1800
