"""Each sentence says what holds a version back, and names a cure: every one is tried by doing it."""

from dataclasses import replace

import pytest

from slipway_operator.planning.desired import PlanDirective
from support.release_world import condition, running

RETURN = PlanDirective("shop", "Return", "v1", "users failed")


def change(world, **changes):
    world.desired = replace(world.desired, **changes)
    world.settle()


def rolled_back():
    world = running()
    world.release("v2")
    world.settle()
    change(world, pinned="v1")
    return world


class TestWhatARollbackHoldsBack:
    @pytest.mark.parametrize("pushed", ["v2", "v3"])
    def test_status_and_conditions_say_so(self, pushed):
        world = rolled_back()
        if pushed == "v3":
            world.release("v3", pinned="v1")
            world.settle()

        said = f"release.activeVersion holds {pushed} of the spec back: remove it"
        assert world.status_view.blocked_by.startswith(said)
        found = {each.type: each for each in world.status_view.conditions}
        assert [(name, found[name].status, found[name].reason) for name in ("Ready", "Stalled", "Released")] == [
            ("Ready", "False", "HeldBack"),
            ("Stalled", "True", "HeldBack"),
            ("Released", "False", "HeldBack"),
        ]

    def test_to_remove_it_releases_the_spec(self):
        world = rolled_back()
        change(world, pinned=None)

        assert world.active == "v2"
        assert world.status_view.blocked_by == ""
        assert condition(world, "Ready") == condition(world, "Released") == "True"


class TestCures:
    @pytest.mark.parametrize("cure", ["another plan", "delete plan shop and set release.retry"])
    def test_what_a_plan_sent_back(self, cure):
        world = running()
        world.release("v2", directive=RETURN)
        world.settle()
        assert cure in world.status_view.blocked_by
        if cure == "another plan":
            change(world, directive=PlanDirective("second", "Go", "v1", "x"))
        else:
            change(world, directive=None)
            change(world, fingerprint="retry")

        assert world.active == "v2"

    def test_a_retired_version(self):
        world = running()
        world.release("v2", contract=True)
        world.settle()
        world.release("v1", fingerprint="v1 again")
        world.settle()
        assert world.status_view.phase == "Failed"
        assert "release.retry" not in world.status_view.blocked_by
        assert "Release another version" in world.status_view.blocked_by
        world.release("v3")
        world.settle()

        assert world.active == "v3"
