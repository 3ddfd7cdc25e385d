"""Consumers, relays and workers are watched like what serves: one half of a version is not all of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.observed import Problem
from support.release_world import TICK, Nature, condition, running, until

MINUTE = timedelta(seconds=60)
COMPONENTS = [("v2", "consumer"), ("v2", "relay"), ("v2m", "worker"), ("v2c", "consumer"), ("v2r", "relay")]


def broken(component, **more):
    """Pods of the component start and end again and again."""
    return Nature(consumes=component == "relay", relays=component != "relay", crashing=(component,), **more)


def watched(name, **changes):
    world = running(gates=(), expand=False)
    world.release(name, watch=timedelta(minutes=10), gates=(), **changes)
    until(world, lambda: world.status_view.phase == "Watching" and world.facts.release.promoted_at)
    return world


def ready(world):
    return next(each for each in world.status_view.conditions if each.type == "Ready")


@pytest.mark.parametrize(("name", "component"), COMPONENTS)
class TestOneComponent:
    def test_in_a_crash_loop_at_the_handover_ends_the_release_after_a_minute(self, name, component):
        world = running(progress_deadline=timedelta(minutes=5))
        world.release(name, broken(component))
        until(world, lambda: world.status_view.step == "HandingOver" and f"{component} exits" in str(ready(world)))
        troubled = world.now
        until(world, lambda: world.facts.held)

        assert world.now - troubled <= MINUTE + TICK
        assert world.facts.held.reason == "CrashLoopBackOff"
        assert f"{component} exits with 1" in world.events[-1].message
        world.settle()
        assert (world.active, world.consuming()) == ("v1", {"v1"})

    @pytest.mark.parametrize("says_why", [True, False], ids=["a crash loop", "without a word"])
    def test_that_stays_down_fails_the_watch(self, name, component, says_why):
        world = watched(name)
        world.natures[name] = broken(component) if says_why else replace(broken(component), crashing=())
        world.tick()
        down = world.now
        world.round()
        assert f"0 of 1 {component}s of {name} are ready" in world.status_view.blocked_by
        until(world, lambda: world.facts.held)

        assert world.now - down <= (MINUTE if says_why else world.desired.progress_deadline) + TICK
        world.settle()
        assert (world.active, world.consuming()) == ("v1", {"v1"})

    def test_that_comes_back_in_time_fails_nothing(self, name, component):
        world = watched(name)
        for _ in range(8):
            world.natures[name] = broken(component)
            for _ in range(2):
                world.round()
                world.tick()
            world.natures[name] = Nature()
            for _ in range(3):
                world.round()
                world.tick()
        world.settle()

        assert world.facts.stable == name

    def test_that_is_down_at_rest_is_told(self, name, component):
        world = running(name)
        world.natures[name] = broken(component)
        world.tick()
        world.settle()

        assert condition(world, "Ready") == "False"
        assert ready(world).reason == "WorkersNotReady"
        assert f"{component} exits with 1" in ready(world).message
        assert f"{component} exits with 1" in world.status_view.blocked_by

    def test_that_is_down_while_the_next_version_waits_is_told(self, name, component):
        world = running(name)
        world.release("v3", auto_promote=False)
        world.settle()
        world.natures[name] = broken(component)
        world.tick()
        world.settle()

        assert world.status_view.phase == "Waiting"
        assert (condition(world, "Ready"), ready(world).reason) == ("False", "WorkersNotReady")


def test_a_pod_of_http_in_trouble_beside_enough_others_hides_no_consumer():
    world = running(progress_deadline=timedelta(minutes=5))
    old = Problem("CrashLoopBackOff", "one pod of http", world.now, "http")
    world.release("v2", broken("consumer", problem=old))
    until(world, lambda: world.facts.held)

    assert "consumer exits with 1" in world.facts.held.message


@pytest.mark.parametrize("calm", [timedelta(seconds=75), timedelta(minutes=4)])
def test_the_grace_of_a_pod_counts_since_its_trouble_began(calm):
    """It was not ready for a long time before: without a node, or pulling its image."""
    world = running(progress_deadline=timedelta(minutes=10), gates=(), expand=False)
    world.release("v2", Nature(consumes=False))
    until(world, lambda: world.status_view.step == "HandingOver")
    for component in ("http", "consumer"):
        world.natures["v2"].problem = None
        began = world.now
        until(world, lambda began=began: world.now - began >= calm)
        world.natures["v2"].problem = Problem("ErrImagePull", "not found", began, component)
        world.round()
        assert world.facts.held is None
    troubled = world.now
    until(world, lambda: world.facts.held)

    assert MINUTE <= world.now - troubled <= MINUTE + TICK


def test_time_that_stood_still_is_no_trouble():
    world = running(progress_deadline=timedelta(minutes=10))
    world.release("v2", broken("consumer"))
    until(world, lambda: world.facts.release and world.facts.release.troubled_since)
    world.desired = replace(world.desired, paused=True)
    world.round()
    world.tick(20)
    world.desired = replace(world.desired, paused=False)
    world.round()

    assert world.facts.held is None
