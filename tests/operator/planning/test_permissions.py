"""Words of people and plans have an end, and a result of long ago promotes nobody."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning.desired import PlanDirective
from slipway_operator.planning.observed import GateState, Noted
from slipway_operator.planning.steps import RunGate, SwitchActive
from support.release_world import Nature, running, told, until

BAD = GateState.FAILED


def change(world, **changes):
    world.desired = replace(world.desired, **changes)
    world.settle()


class TestTheWayBack:
    @pytest.mark.parametrize(
        "nature",
        [Nature(migrates=False), Nature(gate=BAD), Nature(watched=BAD), Nature(starts=False)],
        ids=["a failed migration", "a failed gate", "a failed watch", "a crash"],
    )
    def test_a_version_that_was_never_good_is_refused(self, nature):
        world = running()
        world.release("v2", nature)
        world.settle()
        world.release("v3")
        world.settle()
        world.story.clear()
        change(world, pinned="v2")

        assert world.active == "v3"
        assert told(world, SwitchActive) == []
        assert world.status_view.phase == "Blocked"
        assert "of which no release has succeeded" in world.status_view.blocked_by

    def test_a_person_can_say_so_in_words_as_the_refusal_tells(self):
        world = running()
        world.release("v2", Nature(gate=BAD))
        world.settle()
        world.release("v3")
        world.settle()
        change(world, pinned="v2")
        assert "set release.allowUnreleased to v2" in world.status_view.blocked_by
        change(world, unreleased="v2")

        assert world.active == world.facts.stable == "v2"

    def test_a_word_that_is_taken_back_before_the_switch_counts_no_longer_for_the_spec_s_version_either(self):
        """The way back to v2 has begun, then it is pushed again: its gates are asked."""
        world = running()
        world.release("v2", Nature(gate=BAD))
        world.settle()
        world.release("v3")
        world.settle()
        world.desired = replace(world.desired, pinned="v2", unreleased="v2")
        until(world, lambda: world.facts.release and world.facts.release.kind == "Rollback" and world.active == "v3")
        world.story.clear()
        change(world, version="v2", fingerprint="again", unreleased=None)

        assert told(world, SwitchActive) == []
        assert [each.version for each in told(world, RunGate)] == ["v2"]
        assert world.active == "v3"

    def test_the_word_is_for_that_version_alone(self):
        world = running()
        for name in ("v2", "v3"):
            world.release(name, Nature(gate=BAD))
            world.settle()
        world.release("v4")
        world.settle()
        change(world, pinned="v3", unreleased="v2")

        assert world.active == "v4"

    def test_naming_the_candidate_asks_its_gates(self):
        world = running()
        world.release("v2", Nature(gate=BAD))
        world.settle()
        world.story.clear()
        change(world, pinned="v2", fingerprint="retry")

        assert told(world, RunGate) == [RunGate("smoke", "v2", 4, 1)]
        assert world.active == "v1"
        assert world.facts.held.version == "v2"

    def test_a_version_that_was_good_comes_back_when_the_history_is_full(self):
        world = running(history=20)
        for number in range(2, 15):
            world.release(f"v{number}")
            world.settle()
        change(world, pinned="v1")

        assert world.active == "v1"

    def test_a_record_of_an_operator_that_did_not_keep_it_is_believed(self):
        world = running()
        world.release("v2")
        world.settle()
        world.facts = replace(world.facts, history=())
        former = world.versions["v1"]
        former.noted = Noted(former.noted.active_from, former.noted.active_until, "v2 took over")
        change(world, pinned="v1")

        assert world.active == "v1"


class TestAPromotion:
    @pytest.mark.parametrize("how", ["retry", "another gate"])
    def test_it_counts_for_one_attempt(self, how):
        world = running(auto_promote=False)
        world.release("v2", Nature(watched=BAD), auto_promote=False, promote="v2")
        world.settle()
        assert world.facts.held.version == "v2"
        world.story.clear()
        change(world, fingerprint=how)

        assert told(world, SwitchActive) == []
        assert world.status_view.phase == "Waiting"
        assert "release.promote counted for an earlier attempt" in world.status_view.blocked_by

    @pytest.mark.parametrize("way", ["taken back first", "written in another way"])
    def test_a_person_can_promote_the_next_attempt(self, way):
        world = running(auto_promote=False)
        world.release("v2", Nature(watched=BAD), auto_promote=False, promote="v2")
        world.settle()
        world.natures["v2"] = Nature()
        change(world, fingerprint="retry")
        if way == "taken back first":
            change(world, promote=None)
            change(world, promote="v2")
        else:
            change(world, promoted_as="orders-v2")

        assert world.active == world.facts.stable == "v2"

    def test_one_that_comes_with_the_spec_counts(self):
        world = running(auto_promote=False)
        world.release("v2", Nature(gate=BAD), auto_promote=False)
        world.settle()
        world.natures["v2"] = Nature()
        change(world, fingerprint="a fix of the gate", promote="v2")

        assert world.active == "v2"

    @pytest.mark.parametrize("order", [None, "Go"])
    @pytest.mark.parametrize("gate", [GateState.PASSED, BAD])
    def test_gates_are_asked_anew_after_a_long_wait(self, gate, order):
        world = running(auto_promote=False)
        wait = PlanDirective("shop", "Wait", "v1", "x") if order else None
        world.release("v2", auto_promote=False, directive=wait)
        world.settle()
        world.natures["v2"].gate = gate
        world.now += timedelta(days=3)
        go = PlanDirective("shop", order, "v1", "x") if order else None
        change(world, promote="v2", directive=go)

        assert world.active == ("v2" if gate is GateState.PASSED else "v1")
        assert world.gates["v2", "smoke"].attempt == 3

    def test_a_promotion_at_once_asks_no_gate_again(self):
        world = running(auto_promote=False)
        world.release("v2", auto_promote=False)
        world.settle()
        change(world, promote="v2")

        assert (world.gates["v2", "smoke"].attempt, world.gates["v2", "smoke"].run) == (2, 1)


class TestAPlanThatIsDeleted:
    @pytest.mark.parametrize("order", ["Hold", "Wait"])
    def test_it_promotes_nothing(self, order):
        world = running()
        world.release("v2", directive=PlanDirective("shop", order, "v1", "x"))
        world.settle()
        change(world, directive=None)

        assert world.active == "v1"
        assert world.status_view.phase == "Waiting"
        assert "plan shop, for which it waited, is gone" in world.status_view.blocked_by

    @pytest.mark.parametrize("way", [{"promote": "v2"}, {"fingerprint": "edited"}, {"pinned": "v2"}], ids=str)
    @pytest.mark.parametrize("order", ["Hold", "Wait"])
    def test_a_person_or_another_spec_lets_it_go_on(self, order, way):
        world = running()
        world.release("v2", directive=PlanDirective("shop", order, "v1", "x"))
        world.settle()
        change(world, directive=None)
        change(world, **way)

        assert world.active == world.facts.stable == "v2"

    def test_one_that_was_let_go_goes_on(self):
        world = running()
        world.release("v2", directive=PlanDirective("shop", "Wait", "v1", "x"))
        world.settle()
        world.desired = replace(world.desired, directive=PlanDirective("shop", "Go", "v1", "x"))
        until(world, lambda: world.active == "v2")
        change(world, directive=None)

        assert world.facts.stable == "v2"
