"""Consumers move from one version to another: when the brokers are asked, who is who, and what is told of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from slipway_chassis.events.kafka import Group, Member
from slipway_operator.planning.facts import Ended, Facts, OpenRelease, Stage
from slipway_operator.planning.observed import GroupView, Observed, VersionView, Workload
from slipway_operator.runtimes.kubernetes.metrics import Metrics
from slipway_operator.runtimes.kubernetes.observe.consumer_group import (
    Membership,
    handing_over,
    membership,
    view_of,
)
from slipway_operator.spec import status
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import running

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OLD, NEW = "aaaaaaaa", "bbbbbbbb"
RELEASE = OpenRelease(NEW, "Release", 1, "cccccccc", NOW, Stage.SCALING, NOW)
MOVING = replace(RELEASE, reached=Stage.SWITCHING, handover_started=NOW)


def saw(old, new, release=None):
    """Two versions whose consumers are (wanted, pods), or None."""
    workers = [{} if each is None else {"consumer": Workload(wanted=each[0], pods=each[1])} for each in (old, new)]
    versions = {
        name: VersionView(name, revision, "", {"http": Workload(wanted=1)}, workers=each)
        for revision, (name, each) in enumerate(zip((OLD, NEW), workers, strict=True))
    }
    return Observed(Facts(stable=OLD, release=release), versions)


@pytest.mark.parametrize(
    ("observed", "asked"),
    [
        (saw((2, 2), (0, 0)), False),  # at rest
        (saw((2, 1), (0, 0)), False),  # a pod of it is being replaced
        (saw(None, None), False),  # no version has consumers
        (saw((2, 2), (0, 0), RELEASE), False),  # gates, promotion and the like: it may take days
        (saw((2, 2), (0, 0), replace(RELEASE, reached=Stage.HANDING_OVER)), True),
        (saw((0, 2), (0, 0), replace(RELEASE, reached=Stage.HANDING_OVER)), True),
        (saw((0, 0), (1, 1), MOVING), True),
        (saw((0, 0), (1, 1), replace(MOVING, handover_ended=NOW)), False),
        (saw((0, 1), (1, 1)), True),  # one has not ended yet
        (saw((1, 1), (1, 1)), True),
        (saw((0, 0), (0, 0)), True),  # nobody consumes: before anybody may, the group is looked at
    ],
)  # fmt: skip
def test_brokers_are_asked_while_consumers_move_and_not_else(observed, asked):
    assert handing_over(observed) is asked


def test_a_member_is_known_by_its_name_rather_than_by_an_address_that_others_may_have_now():
    spec = MicroserviceSpec.model_validate(
        {"version": "1", "components": {"http": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}}},
         "events": {"group": "orders", "bootstrapServers": "kafka:9092"}}
    )  # fmt: skip
    labels = {"slipway.dev/component": "consumer", "slipway.dev/version": NEW}
    pod = {"metadata": {"labels": labels}, "status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}}
    pod["metadata"]["name"] = f"orders-{NEW}-consumer-6d4f-x2"
    ended = pod | {"metadata": pod["metadata"] | {"name": "orders-ended"}, "status": {"phase": "Failed"}}
    seen = SimpleNamespace(
        microservice={"metadata": {"name": "orders"}}, records={OLD: None, NEW: None}, pods=[pod, ended],
        pods_are_new=True,
    )  # fmt: skip
    views = {OLD: VersionView(OLD, 1, "", {}, {"consumer": Workload()}),
             NEW: VersionView(NEW, 2, "", {}, {"consumer": Workload(1, 1)})}  # fmt: skip

    asked = membership(seen, Observed(Facts(), views), spec, "kafka:9092")

    assert asked.pods == {f"orders-{NEW}-consumer-6d4f-x2"}
    assert asked.stopped == {f"orders-{OLD}-consumer"}
    seen.pods_are_new = False
    assert membership(seen, Observed(Facts(), views), spec, "kafka:9092").pods is None

    assert (asked.brokers, asked.group) == ("kafka:9092", "orders")
    assert asked.version_of(f"orders-consumer-orders-{OLD}-consumer-6d4f-x1", "/10.0.0.1") == OLD
    assert asked.version_of("orders-consumer", "/10.0.0.1") == NEW
    assert asked.version_of("orders-consumer", "/fd00::1") == NEW
    assert asked.version_of("orders-consumer", "/10.0.0.2") == ""


@pytest.mark.parametrize(
    ("state", "settled"),
    [("Stable", True), ("Empty", True), ("Dead", True), ("PreparingRebalance", False), ("CompletingRebalance", False)],
)
def test_a_group_that_changes_is_not_settled(state, settled):
    described = Group(state, (Member("a-orders-old-consumer-1", "/10.0.0.1"), Member("x", "/10.0.0.9")))

    view = view_of(described, Membership("kafka:9092", "g", {"orders-old-consumer": OLD}))

    assert view == GroupView(known=True, members={OLD: 1, "": 1}, settled=settled)


def test_the_pause_is_told_when_it_is_over_on_the_way_there_and_on_the_way_back():
    world = running()
    world.release("v2", asks_brokers=True)
    world.settle()
    world.desired = replace(world.desired, pinned="v1")
    world.settle()

    told = [step.message for step in world.events if step.reason == "ConsumersHandedOver"]
    pauses = [each.handover_pause_ms / 1000 for each in world.facts.history[1:]]
    versions = ("v2 (v2)", "v1 (v1)")
    assert told == [f"{v} consumes: {p:.1f} s without a consumer" for v, p in zip(versions, pauses, strict=True)]
    assert min(pauses) > 0


def status_view(world):
    [found] = [each for each in world.status_view.conditions if each.type == "ConsumersHandedOver"]
    return found


def test_people_see_whether_a_broker_is_asked():
    world = running()
    assert status_view(world).reason == "PodsAreEnough"
    assert "events.bootstrapServers is not set" in status_view(world).message

    world.desired = replace(world.desired, asks_brokers=True)
    world.settle()

    assert (status_view(world).reason, status_view(world).status) == ("HandedOver", "True")


def test_each_pause_is_counted_once():
    metrics, ended = Metrics(), replace(RELEASE, handover_started=NOW, handover_ended=NOW + timedelta(seconds=3))
    started = replace(RELEASE, handover_started=NOW)
    history = (Ended(OLD, "", "Install", NOW, NOW, "Succeeded", "", 7_000),)
    closed = Ended(NEW, "", "Release", NOW, NOW, "Succeeded", "", 3_000)

    def facts(release, *more):
        return Facts(release=release, history=(*history, *more))

    def total():
        return metrics.registry.get_sample_value("slipway_handover_seconds_sum")

    for before, after in [(None, RELEASE), (RELEASE, started), (started, ended), (ended, ended)]:
        metrics.handed_over(facts(before), facts(after))
    metrics.handed_over(facts(ended), facts(None, closed))
    assert total() == 3

    metrics.handed_over(facts(started), facts(None, closed))  # the release ends in the same look
    assert total() == 6


def test_a_release_that_goes_on_has_a_series_with_its_age_until_it_ends():
    metrics = Metrics(lambda: NOW + timedelta(minutes=5))
    of = {"microservice_namespace": "shop", "microservice": "orders", "phase": "Releasing", "stage": "Scaling"}

    def age():
        return metrics.registry.get_sample_value("slipway_release_stage_age_seconds", of)

    release = status.OpenRelease(version=NEW, kind="Release", attempt=1, started=NOW, reached="Scaling", since=NOW)
    metrics.open_releases.note("shop", "orders", MicroserviceStatus(phase="Releasing", release=release))
    assert age() == 300
    metrics.watch(lambda: 0.0, lambda: 0.0, lambda: False)
    assert age() is None, "another replica leads, and knows"
    metrics.watch(lambda: 0.0, lambda: 0.0, lambda: True)
    metrics.open_releases.note("shop", "orders", MicroserviceStatus(phase="Released"))
    assert age() is None
