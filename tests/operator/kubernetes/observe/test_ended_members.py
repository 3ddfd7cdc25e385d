"""Who is removed from a consumer group: members of pods that were there and are no more, and nobody else."""

import asyncio
from contextlib import closing

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events.kafka.groups import Group, Member
from slipway_operator.planning.observed import GroupView
from slipway_operator.runtimes.kubernetes.observe.consumer_group import BrokerInspector, Membership

VERSION, NAME = "aaaaaaaa", "orders-aaaaaaaa-consumer"
LIVES, ENDS = f"{NAME}-6d4f-x1", f"{NAME}-6d4f-x2"


def member(pod, number=1):
    return Member(f"orders-consumer-1.0-{pod}", "/10.0.0.1", f"{pod}/{number}")


class Broker:
    """Has members, and forgets those that are removed."""

    def __init__(self, *pods, refuses=False):
        self.members, self.refuses, self.removed = [member(pod) for pod in pods], refuses, []

    def describe(self, group):
        return Group("Stable", tuple(self.members))

    def remove(self, group, members):
        self.removed += [each.member_id for each in members]
        if self.refuses:
            raise BrokerUnavailable("Kafka: not authorized")
        self.members = [each for each in self.members if each not in members]

    def close(self):
        pass


def looked(broker, *looks):
    """What each look saw; a look is the pods that run, or None: they are not known for sure."""
    with closing(BrokerInspector(lambda _: broker)) as inspector:
        seen = []
        for pods in looks:
            known = None if pods is None else frozenset(pods)
            membership = Membership("kafka:9092", "orders", {NAME: VERSION}, pods=known)
            seen.append(asyncio.run(inspector.inspect(membership)))
        return seen


def test_a_member_leaves_with_its_pod():
    broker = Broker(LIVES, ENDS)
    seen = looked(broker, [LIVES, ENDS], [LIVES], [LIVES])

    assert broker.removed == [f"{ENDS}/1"]
    assert [each.members[VERSION] for each in seen] == [2, 2, 1]


def test_a_pod_that_was_never_seen_may_be_one_that_has_only_begun():
    broker = Broker(LIVES, ENDS)
    looked(broker, [LIVES], [LIVES])

    assert broker.removed == []


def test_nobody_is_left_of_a_deployment_that_has_no_pod_and_wants_none():
    broker = Broker(LIVES, ENDS, "somebody-on-a-laptop")
    stopped = Membership("kafka:9092", "orders", {NAME: VERSION}, pods=frozenset([LIVES]), stopped=frozenset([NAME]))
    with closing(BrokerInspector(lambda _: broker)) as inspector:
        asyncio.run(inspector.inspect(stopped))

    assert broker.removed == [f"{ENDS}/1"]


def test_what_may_be_out_of_date_ends_nobody():
    broker = Broker(LIVES, ENDS)
    looked(broker, [LIVES, ENDS], None, None)

    assert broker.removed == []


def test_strangers_stay():
    broker = Broker("somebody-on-a-laptop", f"{ENDS}-and-more")
    looked(broker, [LIVES, ENDS], [LIVES])

    assert broker.removed == []


def test_a_name_that_ends_like_that_of_a_pod_that_runs_is_its_own():
    longer = f"other-{ENDS}"
    broker = Broker(longer)
    looked(broker, [longer, ENDS], [longer])

    assert broker.removed == []


def test_one_that_lives_nevertheless_is_removed_once():
    broker = Broker(ENDS)
    with closing(BrokerInspector(lambda _: broker)) as inspector:
        for number, pods in enumerate([[ENDS], [], [], []]):
            membership = Membership("kafka:9092", "orders", {NAME: VERSION}, pods=frozenset(pods))
            asyncio.run(inspector.inspect(membership))
            broker.members = broker.members or [member(ENDS, number)]

    assert broker.removed == [f"{ENDS}/1"]


def test_without_the_right_to_remove_the_group_is_known_as_before():
    broker = Broker(LIVES, ENDS, refuses=True)

    assert looked(broker, [LIVES, ENDS], [LIVES])[-1] == GroupView(members={VERSION: 2})
