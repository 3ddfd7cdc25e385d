"""Consumers and relays move to the new version: one group, no gap, no stranger."""

from datetime import timedelta

from slipway_operator.planning.steps import ScaleWorkers
from support.release_world import Nature, running, until


class TestWorkers:
    def test_an_overlapping_group_is_never_without_a_consumer(self):
        world = running(exclusive=False)
        world.release("v2", exclusive=False)
        while world.active != "v2":
            world.round()
            assert world.consuming()
            world.tick()
        world.settle()

        assert world.consuming() == {"v2"}

    def test_relays_overlap_so_that_no_row_of_the_outbox_waits(self):
        world = running()
        world.release("v2")
        while world.active != "v2":
            world.round()
            world.tick()
            assert any(version.workers["relay"].ready for version in world.versions.values())

    def test_new_consumers_wait_for_members_that_linger(self):
        """A killed consumer stays a member until its session ends; its pod is gone long before."""
        world = running()
        world.release("v2", progress_deadline=timedelta(seconds=300))
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.members = {"v1": 1}
        made = world.round()

        assert ScaleWorkers("v2", "consumer", 1) not in made.steps
        assert "the consumer group has 1 members of v1" in world.status_view.blocked_by

    def test_a_stranger_in_the_group_is_named(self):
        world = running()
        world.release("v2")
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.tick()
        world.members = {"": 2}
        world.round()

        assert "2 members that belong to no version of this service: stop them" in world.status_view.blocked_by

    def test_offsets_are_committed_first(self):
        world = running()
        world.settled = False
        world.release("v2")
        until(world, lambda: world.status_view and "committed its offsets" in world.status_view.blocked_by)

        assert ScaleWorkers("v2", "consumer", 1) not in world.story

    def test_a_broker_that_does_not_answer_sends_everything_back_and_consumption_goes_on(self):
        world = running()
        world.release("v2")
        until(world, lambda: ScaleWorkers("v1", "consumer", 0) in world.story)
        world.broker = False
        world.settle()

        assert world.status_view.phase == "Failed"
        assert world.consuming() == {"v1"}

    def test_consumers_that_do_not_start_send_everything_back(self):
        world = running()
        world.release("v2", Nature(consumes=False))
        world.settle()

        assert world.active == "v1"
        assert world.consuming() == {"v1"}
        assert "consumers of v2 are ready" in world.facts.held.message
        assert not world.versions["v2"].workers["consumer"].alive

    def test_a_version_without_workers_stops_those_of_the_old_one(self):
        world = running()
        world.release("v2w")
        world.settle()

        assert world.active == "v2w"
        assert world.consuming() == set()
