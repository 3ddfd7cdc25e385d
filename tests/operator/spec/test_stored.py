"""An operator that is taken back reads what a newer one stored, and forgets nothing that it could have read."""

import copy
from dataclasses import replace

import pytest

from slipway_operator.planning.status import facts_for, facts_of, status_of
from slipway_operator.planning.steps import SwitchActive
from slipway_operator.spec.releaseplan import ReleasePlanStatus
from slipway_operator.spec.status import MicroserviceStatus
from slipway_operator.spec.stored import read_stored
from support.release_world import GateState, Nature, World, running, told, until, version_desired

V1, V2, V3 = "aaaaaaaa", "bbbbbbbb", "cccccccc"


def stored(world, **former):
    made = world.round()
    former = MicroserviceStatus.model_validate(former)
    status = status_of(made, former, selector="pods", generation=1, now=world.now)
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def failed():
    """v2 had requests, failed in its watch and is held; v1 has all requests again."""
    world = running(V1)
    world.release(V2, Nature(watched=GateState.FAILED), fingerprint=V2)
    world.settle()
    assert world.active == V1
    return world


def places(value, *path):
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], *path, key)


def planted(value, path, what):
    made = copy.deepcopy(value)
    around = made
    for each in path[:-1]:
        around = around[each]
    around[path[-1]] = what
    return made


NEWER = ["Unheard", "x" * 65, -7, {"new": 1}, ["Unheard"], None]
# What is lost when they are: the whole of what they say.
OWN = {"stableVersion", "heldVersion", "history"}


def test_whatever_one_word_is_all_the_rest_is_kept():
    status = stored(failed())
    before = facts_of(read_stored(MicroserviceStatus, status))
    assert (before.held.version, before.stable, len(before.history)) == (V2, V1, 2)
    for place in places(status):
        for what in NEWER:
            facts = facts_of(read_stored(MicroserviceStatus, planted(status, place, what)))
            at = f"{place}: {what!r:.20}"
            assert facts.stable == before.stable or place[0] == "stableVersion", at
            assert facts.held == before.held or place[0] == "heldVersion", at
            assert len(facts.history) == 2 or place[0] == "history", at
            kept = place[:1] != ("heldVersion",) or place in {("heldVersion",), ("heldVersion", "version")}
            assert kept or facts.held.version == V2, at
            assert place == ("history",) or len(facts.history) >= 1, at


@pytest.mark.parametrize(
    "place",
    ["phase", "step", "readiness", ("heldVersion", "reason"), ("heldVersion", "fingerprint"), ("heldVersion", "at"),
     ("history", 1, "result"), ("history", 1, "kind"), ("conditions", 0, "status")],
    ids=str,
)  # fmt: skip
def test_a_held_version_gets_no_request_again(place):
    world = failed()
    place = (place,) if isinstance(place, str) else place
    status = planted(stored(world), place, {"of": "a newer release"})
    world.facts = facts_of(read_stored(MicroserviceStatus, status))
    world.story.clear()
    world.settle()

    assert (world.active, world.facts.held.version) == (V1, V2)
    assert not told(world, SwitchActive)


@pytest.mark.parametrize("place", [("release", "kind"), ("release", "reached"), ("release", "fingerprint")], ids=str)
@pytest.mark.parametrize("reached", ["Checking", "Watching"])
def test_an_open_release_of_a_newer_kind_goes_on_or_begins_anew(place, reached):
    world = running(V1)
    world.release(V2, fingerprint=V2)
    until(world, lambda: world.status_view.step == reached)
    world.facts = facts_of(read_stored(MicroserviceStatus, planted(stored(world), place, "of a newer release")))
    world.settle()

    assert world.active == world.facts.stable == V2


def test_words_of_the_past_are_written_again_as_they_were():
    world = failed()
    status = planted(stored(world), ("history", 1, "result"), "RolledOnward") | {"canary": {"weight": 10}}
    read = read_stored(MicroserviceStatus, status)
    world.facts = facts_of(read)
    again = stored(world, **read.model_dump(by_alias=True))

    assert again["history"][1]["result"] == "RolledOnward"
    assert again["canary"] == {"weight": 10}


def test_of_a_list_that_grew_longer_the_newest_are_kept():
    status = stored(failed())
    record = status["history"][1]
    status["history"] = [record | {"label": str(number)} for number in range(25)]

    assert [each.label for each in read_stored(MicroserviceStatus, status).history] == [str(n) for n in range(15, 25)]


@pytest.mark.parametrize("given", [None, [], "text", {"conditions": "none"}], ids=str)
def test_what_is_no_status_counts_as_none(given):
    assert read_stored(MicroserviceStatus, given) == MicroserviceStatus()


def test_a_service_of_a_plan_with_an_order_of_later_waits():
    services = [{"name": "orders", "order": "Canary", "cameFrom": V1}, {"name": "users", "order": "Go"}]
    read = read_stored(ReleasePlanStatus, {"phase": "Sailing", "services": services})

    assert [(each.name, each.order, each.came_from) for each in read.services] == [
        ("orders", "Hold", V1), ("users", "Go", ""),
    ]  # fmt: skip


class TestOtherDigests:
    """An operator that digests specs otherwise begins no release by itself."""

    @pytest.mark.parametrize("kept", ["its former digest", "nobody knows it any more"])
    def test_a_hold_does_not_end_by_an_upgrade(self, kept):
        world = failed()
        world.facts = replace(
            world.facts, held=replace(world.facts.held, fingerprint="f0f0f0f0" if kept[0] == "i" else "00000000")
        )
        world.desired = replace(world.desired, fingerprint="11111111", former_fingerprint="f0f0f0f0")
        world.settle()

        assert (world.active, world.facts.held.version, world.facts.held.fingerprint) == (V1, V2, "11111111")

    def test_another_spec_still_ends_it(self):
        world = failed()
        world.natures[V2] = Nature()
        world.desired = replace(world.desired, fingerprint="11111111", former_fingerprint="f0f0f0f0")
        world.settle()

        assert world.active == V2

    def test_an_open_release_does_not_begin_its_gates_anew(self):
        world = running(V1)
        world.release(V2, fingerprint=V2)
        until(world, lambda: world.status_view.step == "Watching")
        attempt = world.facts.release.attempt
        world.desired = replace(world.desired, fingerprint="11111111", former_fingerprint=V2)
        world.round()

        assert world.facts.release.attempt == attempt

    @pytest.mark.parametrize(
        ("written", "held"),
        [
            ({}, True),
            ({"observedGeneration": 3}, False),
            ({"paused": True}, False),
            ({"conditions": [{"type": "Stalled", "status": "True", "reason": "Unreadable",
                              "lastTransitionTime": "2026-01-01T00:00:00Z"}]}, False),
        ],
        ids=["of this generation", "of an earlier one", "while it was paused", "while it could not be read"],
    )  # fmt: skip
    def test_a_digest_of_the_same_generation_is_of_the_same_spec(self, written, held):
        """Also one that this release could not make itself: of a newer operator, or with another default."""
        world = failed()
        status = read_stored(MicroserviceStatus, stored(world) | {"observedGeneration": 4} | written)
        facts = facts_for(status, replace(world.desired, fingerprint="11111111", generation=4))

        assert (facts.held.fingerprint == "11111111") == held


def test_a_world_reads_what_it_wrote():
    world = World(desired=version_desired(V1))
    world.settle()
    assert facts_of(read_stored(MicroserviceStatus, stored(world))) == world.facts
