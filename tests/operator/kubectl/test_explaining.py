"""`kubectl slipway explain` names what is not as it must be, and by when the planner gives up."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.kubectl import tree
from slipway_operator.kubectl.explaining import explain, fails_at, window_opens
from slipway_operator.kubectl.snapshot import lent_selector_of, serving_before
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import REFUSED, GateState, Problem
from slipway_operator.runtimes.kubernetes.api.kinds import LENT_AS
from slipway_operator.spec.status import MicroserviceStatus
from slipway_operator.spec.strategy import PromotionWindow
from support.release_snapshots import (
    NEW,
    OLD,
    broker_away,
    contracting,
    draining,
    first_one,
    no_pods,
    no_verdict,
    nobody_promotes,
    released,
    rolling,
    snapshot_of,
    stop_at,
    stuck_expand,
    too_few,
    verifying,
    watching,
)
from support.release_world import TICK, Nature, World, running, version_desired


def points(said):
    return dict(said.points)


def commands(said):
    return [command.removeprefix("kubectl slipway ").removesuffix(" -n shop") for command, _ in said.next]


STANDS = [
    (stuck_expand, "expand migration has succeeded", "the expand migration runs", ["abort orders"]),
    (no_pods, "1 ready pod of 2.0 (bbbbbbb2)", "0 of 1 pods of bbbbbbb2 are ready: image not found", ["abort orders"]),
    (no_verdict, "gates before promotion have passed: smoke", "gate smoke is", ["abort orders"]),
    (too_few, "4 ready pods of 2.0 (bbbbbbb2)", "1 of 4 pods of bbbbbbb2 are ready", ["abort orders"]),
    (nobody_promotes, "a person promotes it, since strategy.autoPromote is false",
     "it waits for release.promote to name bbbbbbb2", ["promote orders", "abort orders"]),
    (broker_away, "the former consumers have ended, then all", "consumers of aaaaaaa1", ["abort orders"]),
    (rolling, "one by one, until there are 4 ready pods", "pods of bbbbbbb2 are ready", ["abort orders"]),
    (verifying, "only pods of 2.0 (bbbbbbb2) are behind", "endpoints of aaaaaaa1 are still behind", ["abort orders"]),
    (watching, "stays healthy for 30 s", "", ["abort orders"]),
    (draining, "former versions are scaled down", "aaaaaaa1 stays up for a way back", []),
    (contracting, "the contract migration has ended", "the contract migration runs", []),
    (first_one, "1 ready pod of 1.0 (aaaaaaa1)", "0 of 1 pods", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "condition", "unmet", "next_"), STANDS, ids=lambda value: getattr(value, "__name__", "")
)
def test_explain_names_the_step_its_condition_and_what_is_unmet(make, condition, unmet, next_):
    world, stage = make()
    snapshot = stop_at(world, stage)

    said = explain(snapshot)

    assert f"step {stage.title}" in said.headline
    assert condition in points(said)["condition"]
    assert points(said)["unmet"] == snapshot.unmet
    assert unmet in points(said)["unmet"]
    assert points(said)["deadline"]
    assert [each for each in commands(said) if not each.startswith("kubectl")] == next_


def test_each_stage_of_a_release_has_its_words():
    snapshot = stop_at(*no_pods())

    for stage in Stage:
        said = explain(replace(snapshot, status=snapshot.status.model_copy(update={"step": stage.title})))
        assert stage.title in said.headline
        assert points(said)["condition"]


def led_by_chance(chance):
    """A release, or a rollback, in whatever state: pods with problems, workers, dry runs, and pauses on the way."""
    shapes = chance.choices([("consumer", "relay"), ("worker",), ("consumer",), ("relay",), ()], k=2)
    rolling, back = chance.random() < 0.3, chance.random() < 0.25
    world = World(desired=version_desired(OLD, rolling=rolling), natures={OLD: Nature(workers=shapes[0])})
    world.settle()
    if back:
        delay = timedelta(minutes=chance.choice([0, 60]))
        world.release(NEW, nature=Nature(workers=shapes[1]), rolling=rolling, scale_down_delay=delay)
        world.settle()
    wanted = OLD if back else NEW
    nature = Nature(starts=chance.random() > 0.3, consumes=chance.random() > 0.3,
                    gate=chance.choice(list(GateState)), watched=chance.choice(list(GateState)),
                    workers=shapes[0 if back else 1])  # fmt: skip
    world.broker = chance.random() > 0.3
    gates = tuple(replace(gate, dry_run=chance.random() < 0.2) for gate in world.desired.gates)
    world.release(NEW, rolling=rolling, gates=gates, fingerprint="ffffffff", pinned=OLD if back else None)
    world.natures[wanted] = nature
    for _ in range(chance.randrange(1, 14)):
        if chance.random() < 0.15:
            since = world.now - chance.choice([timedelta(), timedelta(seconds=20), timedelta(minutes=5)])
            nature.problem = Problem(chance.choice(["CrashLoopBackOff", REFUSED]), "one of them ended", since)
        if chance.random() < 0.1:
            world.desired = replace(world.desired, paused=not world.desired.paused)
        world.round()
        world.tick()
    return world, wanted


@pytest.mark.parametrize("seed", range(400))
def test_the_deadline_that_is_told_is_the_one_the_planner_keeps(seed):
    """A second before it the version is not held; at it, it is; and where none is told, it is never held."""
    chance = random.Random(seed)
    world, wanted = led_by_chance(chance)
    world.round()
    if world.plan().status_view.step != world.status_view.step:
        world.round()
    snapshot = snapshot_of(world)
    if world.desired.paused and chance.random() < 0.7:  # and the operator has not looked since
        world.desired = replace(world.desired, paused=False)
        snapshot = replace(snapshot, desired=world.desired, now=world.now + timedelta(minutes=9))
        world.now = snapshot.now
    release = snapshot.facts.release
    if release is None or release.version != wanted:
        return
    ends = fails_at(snapshot)
    world.facts = snapshot.facts

    def held_at(when):
        """The operator looks now, and then; nothing else happens."""
        world.now, world.facts = snapshot.now, snapshot.facts
        world.facts = world.plan().facts
        world.now = when
        return world.plan().facts.held

    if ends is None:
        assert held_at(world.now) is None
        assert world.desired.paused or explain(snapshot)
    elif ends > world.now:
        assert held_at(ends - timedelta(seconds=1)) is None
        assert held_at(ends).version == wanted


def test_a_crash_beside_enough_pods_announces_no_way_back():
    """The planner waits as well: a healthy operator must not be accused."""
    world, stage = watching()
    stop_at(world, stage)
    world.natures[NEW].problem = Problem("CrashLoopBackOff", "one of them ended", world.now)
    snapshot = stop_at(world, stage)

    for later in (timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=5)):
        said = points(explain(replace(snapshot, now=snapshot.now + later)))
        assert "rolls back" not in said["deadline"]
        assert "does not seem to run" not in said["deadline"]


def test_without_a_deadline_the_operator_is_never_accused():
    world = running(OLD)
    world.release(NEW, auto_promote=False)
    snapshot = stop_at(world, Stage.PROMOTING)

    said = explain(replace(snapshot, now=snapshot.now + timedelta(days=3)))

    assert points(said)["deadline"] == "none: people and windows decide"


def test_most_of_those_states_have_a_deadline():
    """Else the test above would look at nothing."""
    stories = [led_by_chance(random.Random(seed)) for seed in range(60)]
    releases = [snapshot_of(world) for world, wanted in stories if world.facts.release]
    assert sum(fails_at(snapshot) is not None for snapshot in releases) > len(stories) / 4
    found = [stop_at(*make()) for make in (stuck_expand, no_pods, no_verdict, too_few, broker_away, rolling)]

    for snapshot in found:
        assert fails_at(snapshot) > snapshot.now


def test_a_deadline_that_passed_long_ago_tells_of_an_operator_that_does_not_run():
    snapshot = stop_at(*no_pods())

    said = explain(replace(snapshot, now=snapshot.now + timedelta(hours=1)))

    assert "the operator does not seem to run" in points(said)["deadline"]
    assert said.next[0][0].startswith("kubectl get pods -A -l app.kubernetes.io/part-of=slipway")


def test_a_window_that_is_closed_says_when_it_opens():
    window = PromotionWindow.model_validate(
        {"days": ["Tue"], "from": "09:00", "to": "10:00", "timeZone": "Europe/Berlin"}
    )
    snapshot = stop_at(released(window=window), Stage.PROMOTING)

    said = explain(snapshot)

    assert f"{window_opens(snapshot):%Y-%m-%d %H:%M}" == "2026-01-06 08:00"
    assert "it opens at 2026-01-06 08:00:00 UTC" in points(said)["window"]
    assert "promotion window" in points(said)["unmet"]
    assert commands(said) == ["abort orders"]  # a promotion opens no window


def test_a_failed_version_says_why_and_how_to_try_again():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()

    said = explain(snapshot_of(world))

    assert "gave up 2.0 (bbbbbbb2)" in said.headline
    assert "GateFailed" in said.headline
    assert points(said)["why"] == "gate smoke failed"
    assert points(said)["gate"].startswith("smoke: failed")
    assert "1.0 (aaaaaaa1) gets all requests" in points(said)["meanwhile"]
    assert commands(said)[0] == "retry orders"


def test_a_rollback_to_a_version_that_is_gone_names_those_that_are_kept():
    world = released()
    world.settle()
    world.release(NEW, pinned="dddddddd")
    world.settle()

    said = explain(snapshot_of(world))

    assert "release.activeVersion names dddddddd, which is not kept" in points(said)["why"]
    assert points(said)["kept"] == "1.0 (aaaaaaa1), 2.0 (bbbbbbb2)"
    assert commands(said) == ["rollback orders --to VERSION", "retry orders"]


def test_the_way_back_says_so():
    world = released(nature=Nature(watched=GateState.FAILED))
    for _ in range(40):
        world.round()
        if world.facts.release and world.facts.release.kind == "Undo":
            break
        world.tick()

    said = explain(snapshot_of(world))

    assert said.headline.startswith("orders goes back to 1.0 (aaaaaaa1)")
    assert "because gate errors failed" in points(said)["unmet"]
    assert "never given up" in points(said)["deadline"]


def test_a_version_that_waits_behind_a_rollback_is_told():
    world = released()
    world.settle()
    world.release(NEW, pinned=OLD)
    world.settle()

    said = explain(snapshot_of(world))

    assert points(said)["pinned"].startswith(
        "release.activeVersion names 1.0 (aaaaaaa1); 2.0 (bbbbbbb2) of the spec waits"
    )
    assert commands(said) == ["retry orders"]


def test_at_rest_nothing_is_left_to_say():
    said = explain(snapshot_of(running(OLD)))

    assert said.headline == "orders waits for nothing: 1.0 (aaaaaaa1) is active"
    assert not said.points
    assert not said.next


def test_a_scale_down_whose_time_has_passed_is_no_plan():
    snapshot = stop_at(*draining())
    late = replace(snapshot, now=snapshot.now + timedelta(hours=2))

    said = points(explain(late))["deadline"]

    assert said.startswith("none; its time for a way back ended")
    assert "scaled down at" not in said


def test_who_served_before_and_has_pods_still_is_named():
    lent = {"metadata": {"name": "orders", "annotations": {LENT_AS: '{"spec": {"selector": {"app": "hello"}}}'}}}
    selector = lent_selector_of([lent | {"kind": "Service"}], "orders")
    template = {"metadata": {"labels": {"app": "hello", "tier": "web"}}}
    old = {"metadata": {"name": "hello"}, "spec": {"replicas": 4, "template": template}}
    stopped = {"metadata": {"name": "stopped"}, "spec": {"replicas": 0, "template": template}}

    before = serving_before(selector, [old, stopped])
    said = explain(replace(snapshot_of(running(OLD)), served_before=before))

    assert points(said)["before"].startswith("Deployment hello (4 pods) served before")


def test_a_spec_that_the_operator_has_not_seen_is_told():
    snapshot = snapshot_of(running(OLD))

    late = explain(replace(snapshot, generation=2))
    never = explain(replace(snapshot, status=MicroserviceStatus()))

    assert "(generation 2), and the status speaks of generation 1" in points(late)["note"]
    assert never.headline == "orders has not been looked at by the operator yet"
    assert never.next[0][0].startswith("kubectl get pods -A")


def test_what_may_not_be_seen_is_not_told():
    snapshot = stop_at(*no_pods())

    said = explain(replace(snapshot, observed=None, hidden=("pods",)))
    drawn = [line.text for line in tree.lines(tree.tree(replace(snapshot, observed=None, hidden=("pods",))))]

    assert "pods" not in points(said)
    assert any("you may not list pods" in text for text in drawn)
    assert not any("ready pods" in text or "of 1 ready" in text for text in drawn)


def test_a_tick_is_what_the_tests_above_take_it_for():
    assert timedelta(seconds=15) == TICK
