"""What another release cuts short, and what is left behind while a release waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.planning import plan
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import JobState, JobView
from slipway_operator.planning.steps import ForgetVersion
from support.release_world import Nature, running, told, until

ACCEPTED = {"contract": True, "scale_down_delay": timedelta(minutes=10)}


def accepted(version="v2"):
    """It is stable; its former version drains, and its contract migration comes after that."""
    world = running(gates=())
    world.release(version, **ACCEPTED)
    until(world, lambda: world.facts.release and world.facts.release.reached is Stage.DRAINING)
    return world


class TestContractMigration:
    def test_one_that_another_version_put_off_runs_when_that_is_taken_back(self):
        world = accepted()
        world.release("v3", **ACCEPTED)
        world.round()
        world.tick()
        world.release("v2", **ACCEPTED)
        world.settle()

        assert world.jobs["v2", "contract"].state is JobState.SUCCEEDED
        assert world.versions["v1"].retired
        assert world.facts.contract_pending is None

    def test_one_that_is_put_off_twice_runs_in_the_end(self):
        world = accepted()
        for other in ("v3", "v4"):
            world.release(other, **ACCEPTED)
            world.round()
            world.tick()
            world.release("v2", **ACCEPTED)
            world.round()
            world.tick()
        world.settle()

        assert world.jobs["v2", "contract"].state is JobState.SUCCEEDED

    def test_the_version_that_takes_over_has_one_of_its_own(self):
        world = accepted()
        world.release("v3", **ACCEPTED)
        world.settle()

        assert ("v2", "contract") not in world.jobs
        assert world.jobs["v3", "contract"].state is JobState.SUCCEEDED
        assert world.facts.contract_pending is None

    def test_one_that_fails_the_second_time_is_told(self):
        world = accepted()
        world.natures["v2"] = Nature(contracts=False)
        world.release("v3", **ACCEPTED)
        world.round()
        world.release("v2", **ACCEPTED)
        world.settle()

        assert world.facts.history[-1].result == "ContractFailed"
        assert "contract migration failed" in world.status_view.blocked_by

    def test_a_version_that_has_run_it_does_not_run_it_again(self):
        world = running(gates=())
        world.release("v2", **ACCEPTED)
        world.settle()
        attempt = world.jobs["v2", "contract"].attempt
        world.release("v3", auto_promote=False, **ACCEPTED)
        world.settle()
        world.release("v2", **ACCEPTED)
        world.settle()

        assert world.jobs["v2", "contract"].attempt == attempt


class TestHistory:
    def waiting(self, pushes):
        world = running(auto_promote=False, gates=())
        for number in range(2, pushes + 2):
            world.release(f"v{number}", auto_promote=False)
            world.settle()
        return world

    def test_its_limit_holds_while_nobody_promotes(self):
        world = self.waiting(pushes=30)

        assert world.facts.stable == world.active == "v1"
        assert sorted(world.versions) == ["v1", "v29", "v30", "v31"]

    @pytest.mark.parametrize("needed", ["v1", "v31"])
    def test_what_the_release_needs_is_kept(self, needed):
        assert ForgetVersion(needed) not in told(self.waiting(pushes=30), ForgetVersion)

    def test_a_version_whose_migration_runs_is_kept_until_it_has_ended(self):
        world = self.waiting(pushes=4)
        [oldest] = sorted(world.versions.keys() - {"v1", "v4", "v5"})
        world.jobs[oldest, "expand"] = JobView(JobState.RUNNING, 1)
        world.desired = replace(world.desired, history=0)

        assert ForgetVersion(oldest) not in world.plan().steps
        world.jobs[oldest, "expand"] = JobView(JobState.SUCCEEDED, 1)
        assert ForgetVersion(oldest) in world.plan().steps

    def test_a_record_that_is_being_deleted_is_deleted_once(self):
        world = self.waiting(pushes=4)
        world.desired = replace(world.desired, history=0)
        seen = world.observe()
        gone = {name: replace(view, forgotten=name not in {"v1", "v5"}) for name, view in seen.versions.items()}

        steps = plan(replace(seen, versions=gone), world.desired, world.now).steps
        assert not any(isinstance(step, ForgetVersion) for step in steps)
