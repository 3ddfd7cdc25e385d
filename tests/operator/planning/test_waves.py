"""Release plans: all services get their new version, or none keeps it; whatever fails."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_operator.planning.observed import GateState
from slipway_operator.planning.version_ranges import fits, impossible
from slipway_operator.planning.waves import Outlook, ServiceView, coordinate, directive_of, refusal, view_of
from slipway_operator.spec.releaseplan import ReleasePlanSpec, ReleasePlanStatus
from slipway_operator.spec.status import MicroserviceStatus
from support.release_world import Broken, Nature, World, version_desired

THREE = (("users",), ("orders", "stock"), ("shop",))


def plan_of(*waves, **changes):
    made = [
        {
            "name": f"wave{number}",
            "services": [each if isinstance(each, dict) else {"name": each, "version": "v2"} for each in wave],
        }
        for number, wave in enumerate(waves, start=1)
    ]
    return ReleasePlanSpec.model_validate({"waves": made, **changes})


def planned(name, version="v2", **more):
    return {"name": name, "version": version, **more}


def status_from(outlook: Outlook) -> ReleasePlanStatus:
    return ReleasePlanStatus(
        phase=outlook.phase, wave=outlook.wave, services=outlook.services, blocked_by=outlook.blocked_by,
        failure=outlook.failure, started=outlook.started, ended=outlook.ended,
    )  # fmt: skip


class Fleet:
    """Several worlds, each with its own operator's looks, and one plan for them."""

    def __init__(self, spec, natures=(), chance=None):
        self.spec, self.status = spec, ReleasePlanStatus()
        self.chance = chance or random.Random(0)
        self.worlds = {}
        for wave in spec.waves:
            for service in wave.services:
                world = World(desired=version_desired("v1"))
                world.settle()
                self.worlds[service.name] = world
        for name, world in self.worlds.items():
            self.look()
            # An operator that is killed all the time is slow, which is no reason to fail.
            world.release("v2", dict(natures).get(name, Nature()), progress_deadline=timedelta(minutes=20))
        self.served = {name: ["v1"] for name in self.worlds}

    def view(self, name):
        world = self.worlds[name]
        status = MicroserviceStatus.model_construct(
            release=world.facts.release, held_version=world.facts.held, stable_version=world.facts.stable or "",
            active_version=world.active or "", phase=world.status_view.phase, step=world.status_view.step,
            blocked_by=world.status_view.blocked_by,
        )  # fmt: skip
        return view_of(world.desired.version, world.desired.version, world.desired.pinned, status)

    def look(self):
        views = {name: self.view(name) for name in self.worlds if self.worlds[name].status_view}
        outlook = coordinate(self.spec, self.status, views, self.now)
        self.status = status_from(outlook)
        return outlook

    @property
    def now(self):
        return next(iter(self.worlds.values())).now

    def directive(self, name):
        version = self.worlds[name].desired.version
        return directive_of("shop", self.spec, self.status, service=name, label=version, version=version)

    def round(self, *, kills=False):
        """Every service looks once, in any order; the plan looks now and then."""
        order = list(self.worlds)
        self.chance.shuffle(order)
        for name in order:
            if self.chance.random() < 0.5:
                self.look()
            world = self.worlds[name]
            world.desired = replace(world.desired, directive=self.directive(name))
            world.round(killed_after=self.chance.choice([None, None, 0, 1, 2]) if kills else None)
            world.tick()
            if world.active not in {self.served[name][-1], None}:
                self.served[name].append(world.active)
                self.check_order(name, world.active)

    def check_order(self, name, version):
        """Forward, a wave needs all earlier ones; backward, all later ones are back."""
        waves = [[service.name for service in wave.services] for wave in self.spec.waves]
        mine = next(number for number, wave in enumerate(waves) if name in wave)
        ahead = [each for wave in (waves[:mine] if version == "v2" else waves[mine + 1 :]) for each in wave]
        for each in ahead:
            if self.worlds[each].active != version and not self.worlds[each].facts.held:
                raise Broken(f"{name} gets {version} before {each}: {self.served}")

    def settle(self, rounds=400, **how):
        for _ in range(rounds):
            self.round(**how)
            if self.status.ended:
                return self
        raise Broken(f"the plan does not end: {self.status.model_dump_json(indent=1)}")

    @property
    def active(self):
        return {name: world.active for name, world in self.worlds.items()}


BAD = {
    "a gate that fails": Nature(gate=GateState.FAILED),
    "pods that never get ready": Nature(starts=False),
    "consumers that never get ready": Nature(consumes=False),
    "a migration that fails": Nature(migrates=False),
    "a gate that fails while all requests are there": Nature(watched=GateState.FAILED),
}


class TestForward:
    def test_all_services_get_their_version_wave_by_wave(self):
        fleet = Fleet(plan_of(*THREE)).settle()

        assert fleet.status.phase == "Succeeded"
        assert set(fleet.active.values()) == {"v2"}
        assert all(served == ["v1", "v2"] for served in fleet.served.values())

    def test_nothing_is_promoted_before_all_are_prepared(self):
        fleet = Fleet(plan_of(*THREE))
        shop = fleet.worlds["shop"]
        shop.desired = replace(shop.desired, version="v1", fingerprint="v1")  # its spec has not come yet
        for _ in range(60):
            fleet.round()

        assert (fleet.status.phase, set(fleet.active.values())) == ("Pending", {"v1"})
        assert fleet.status.blocked_by == "shop is at version v1, and the plan wants v2"

        shop.release("v2")
        assert fleet.settle().status.phase == "Succeeded"

    def test_what_depends_on_another_is_not_begun_before_it_is_released(self):
        fleet = Fleet(plan_of(["users"], [planned("orders", dependsOn=["users"])]))
        while fleet.active["users"] == "v1":
            fleet.round()
            assert "v2" not in fleet.worlds["orders"].versions or not fleet.worlds["orders"].endpoints("v2")

        assert fleet.settle().status.phase == "Succeeded"

    def test_a_paused_plan_waits_for_a_person(self):
        fleet = Fleet(plan_of(*THREE, paused=True))
        for _ in range(60):
            fleet.round()
        assert (fleet.status.phase, set(fleet.active.values())) == ("Paused", {"v1"})

        fleet.spec = fleet.spec.model_copy(update={"paused": False})
        assert fleet.settle().status.phase == "Succeeded"

    def test_the_former_versions_stay_up_until_the_plan_has_ended(self):
        fleet = Fleet(plan_of(["users"], ["orders"]))
        while fleet.active["orders"] == "v1":
            fleet.round()
            assert fleet.worlds["users"].endpoints("v1")

    def test_a_version_that_is_there_already_needs_nothing(self):
        fleet = Fleet(plan_of(["users"], ["orders"])).settle()
        again = ReleasePlanStatus()

        outlook = coordinate(fleet.spec, again, {name: fleet.view(name) for name in fleet.worlds}, fleet.now)

        assert (outlook.phase, outlook.ended) == ("Succeeded", fleet.now)

    def test_a_version_that_was_there_before_the_plan_begins_nothing(self):
        """users is at v2 already, orders is still to come: the plan waits for it, look after look."""
        spec = plan_of(["users"], ["orders", "shop"])
        there = ServiceView("v2", "bbbbbbb2", stable="bbbbbbb2", active="bbbbbbb2")
        prepared = ServiceView("v2", "ccccccc3", stable="aaaaaaa1", active="aaaaaaa1", waiting=True, moving=True)
        late = ServiceView("v1", "aaaaaaa1", stable="aaaaaaa1", active="aaaaaaa1")
        now, status = World(desired=version_desired("v1")).now, ReleasePlanStatus()
        for _ in range(4):
            status = status_from(coordinate(spec, status, {"users": there, "orders": prepared, "shop": late}, now))

        assert (status.phase, status.failure) == ("Pending", "")
        assert [each.order for each in status.services] == ["Go", "Wait", "Wait"]

    def test_what_an_earlier_plan_sent_back_can_be_planned_again(self):
        fleet = Fleet(plan_of(["users"], ["orders"]), {"orders": Nature(gate=GateState.FAILED)}).settle()
        assert fleet.worlds["users"].facts.held

        fleet.worlds["orders"].release("v3")
        fleet.spec = plan_of(["users"], [planned("orders", "v3")])
        fleet.status = ReleasePlanStatus()

        assert fleet.settle().status.phase == "Succeeded"
        assert fleet.active == {"users": "v2", "orders": "v3"}


class TestBack:
    @pytest.mark.parametrize("why", BAD)
    @pytest.mark.parametrize("bad", ["users", "stock", "shop"])
    def test_one_that_fails_takes_all_back(self, bad, why):
        fleet = Fleet(plan_of(*THREE), {bad: BAD[why]}).settle()

        assert fleet.status.phase == "Failed"
        assert fleet.status.failure.startswith(f"{bad}: ")
        assert set(fleet.active.values()) == {"v1"}

    @pytest.mark.parametrize("why", ["a gate that fails", "pods that never get ready", "a migration that fails"])
    def test_what_fails_before_its_promotion_costs_nobody_a_switch(self, why):
        fleet = Fleet(plan_of(*THREE), {"shop": BAD[why]}).settle()

        assert all(served == ["v1"] for served in fleet.served.values())

    @pytest.mark.parametrize("why", BAD)
    def test_the_last_wave_fails_after_the_others_were_released(self, why):
        """It depends on the first, so that it is not even begun before."""
        spec = plan_of(["users"], ["orders"], [planned("shop", dependsOn=["orders"])])
        fleet = Fleet(spec, {"shop": BAD[why]}).settle()

        assert set(fleet.active.values()) == {"v1"}
        assert (fleet.served["users"], fleet.served["orders"]) == (["v1", "v2", "v1"], ["v1", "v2", "v1"])

    def test_an_abort_takes_all_back(self):
        fleet = Fleet(plan_of(["users"], ["orders"]))
        while fleet.active["users"] == "v1":
            fleet.round()
        fleet.spec = fleet.spec.model_copy(update={"abort": True})

        assert (fleet.settle().status.phase, set(fleet.active.values())) == ("Failed", {"v1"})

    def test_a_service_that_went_back_stays_there_when_the_plan_is_deleted(self):
        fleet = Fleet(plan_of(["users"], ["orders"]), {"orders": Nature(gate=GateState.FAILED)}).settle()
        for world in fleet.worlds.values():
            world.desired = replace(world.desired, directive=None)
            world.settle()

        assert set(fleet.active.values()) == {"v1"}
        assert "plan shop sent it back" in fleet.worlds["users"].facts.held.message

        users = fleet.worlds["users"]
        users.release("v3")
        users.settle()
        assert users.active == "v3"

    def test_a_service_that_can_not_come_back_holds_no_other_up(self):
        """Its former version fails to start; the plan says so, and the earlier waves go back."""
        spec = plan_of(["users"], ["orders"], abort=True)
        stuck = MicroserviceStatus.model_validate(
            {"phase": "Failed", "blockedBy": "no image", "activeVersion": "bbbbbbb2", "stableVersion": "bbbbbbb2",
             "heldVersion": {"version": "aaaaaaa1", "reason": "ImagePullBackOff", "fingerprint": "00000000",
                             "at": "2026-01-05T12:00:00Z"}}
        )  # fmt: skip
        moving = ServiceView("v2", "bbbbbbb2", stable="bbbbbbb2", active="bbbbbbb2")
        told = [
            {"name": name, "order": "Go", "cameFrom": "aaaaaaa1", "version": "bbbbbbb2"} for name in ("users", "orders")
        ]
        former = ReleasePlanStatus.model_validate({"phase": "Returning", "services": told, "failure": "aborted"})
        views = {"users": moving, "orders": view_of("v2", "bbbbbbb2", None, stuck)}

        found = coordinate(spec, former, views, World(desired=version_desired("v1")).now)

        assert [each.order for each in found.services] == ["Return", "Return"]
        assert (found.phase, found.ended) == ("Returning", None)

    def test_people_who_roll_back_one_service_end_the_plan(self):
        fleet = Fleet(plan_of(["users"], ["orders"]))
        while fleet.active["users"] == "v1":
            fleet.round()
        users = fleet.worlds["users"]
        users.desired = replace(users.desired, pinned="v1")

        assert fleet.settle().status.failure == "users was sent to another version by release.activeVersion"

    def test_a_spec_that_leaves_the_plan_after_promotions_ends_it(self):
        fleet = Fleet(plan_of(["users"], ["orders"]))
        while fleet.active["users"] == "v1":
            fleet.round()
        fleet.worlds["orders"].release("v9")

        assert "orders is at version v9" in fleet.settle().status.failure

    @given(st.randoms(use_true_random=False))
    @settings(max_examples=60, deadline=None)
    def test_all_or_none_however_often_the_operator_is_killed(self, chance):
        """Fleet.check_order asks for the order of waves at each switch, the worlds for all other promises."""
        names = ["users", "orders", "stock", "shop"]
        natures = {name: chance.choice([Nature(), Nature(), Nature(), *BAD.values()]) for name in names}
        depends = {"dependsOn": ["users"]} if chance.random() < 0.5 else {}
        fleet = Fleet(plan_of(["users"], ["orders", "stock"], [planned("shop", **depends)]), natures, chance)
        fleet.settle(kills=True)

        good = all(each == Nature() for each in natures.values())
        assert fleet.status.phase == ("Succeeded" if good else "Failed"), (natures, fleet.status.failure)
        assert set(fleet.active.values()) == {"v2" if good else "v1"}


class TestRefusal:
    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            (plan_of([planned("users", ">=2, <1")]), "no version of users can be in the range '>=2, <1'"),
            (plan_of([planned("users", "==1.*, >=2")]), "no version of users can be in the range"),
            (
                plan_of([planned("users", dependsOn=["orders"])], [planned("orders", dependsOn=["users"])]),
                "users depends on orders, which no earlier wave releases: the two would wait for each other",
            ),
        ],
    )
    def test_a_plan_that_can_never_be_carried_out_is_refused(self, spec, said):
        assert refusal(spec).startswith(said)
        outlook = coordinate(spec, ReleasePlanStatus(), {}, World(desired=version_desired("v1")).now)
        assert (outlook.phase, outlook.services) == ("Blocked", ())

    def test_a_plan_that_can_is_not(self):
        assert not refusal(plan_of(["users"], [planned("orders", ">=1.4, <2", dependsOn=["users"])]))


class TestRanges:
    @pytest.mark.parametrize(
        ("label", "wanted", "is_in"),
        [
            ("1.4.2", "1.4.2", True), ("1.4.20", "1.4.2", False), ("dev-1a2b", "dev-1a2b", True),
            ("1.5", ">=1.4, <2", True), ("2.0", ">=1.4 <2", False), ("1.4", ">=1.4", True), ("2.0rc1", "<2", False),
            ("1.4.9", "~=1.4.2", True), ("1.5", "~=1.4.2", False), ("1.9", "==1.*", True), ("dev-1a2b", ">=1", False),
            ("1.4", ">= 1.4", True), ("1.4", "!=1.4", False),
        ],
    )  # fmt: skip
    def test_what_is_in(self, label, wanted, is_in):
        assert fits(label, wanted) is is_in

    @pytest.mark.parametrize("wanted", [">=2, <1", ">1, <1", "==1.4, >2", ">=1.4, <1.4", "==1.*, ==2.*", "~=1.4, <1"])
    def test_impossible(self, wanted):
        assert impossible(wanted)

    @pytest.mark.parametrize(
        "wanted", ["!=0.*", ">2.0rc1", "1.4", ">=1.4, <2", ">1.4, <1.4.1", "<1", "==1.*, !=1.0", "~=1.4", "v2", ">=1"]
    )
    def test_possible(self, wanted):
        assert not impossible(wanted)

    @given(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.tuples(st.integers(0, 9), st.integers(0, 9)))
    def test_what_holds_a_version_is_possible(self, low, high):
        wanted = f">={low[0]}.{low[1]}, <{high[0]}.{high[1]}"
        assert impossible(wanted) is (low >= high)


class TestWish:
    SPEC = plan_of([planned("users", ">=2, <3")])

    def test_a_version_the_plan_has_not_seen_waits(self):
        directive = directive_of(
            "shop", self.SPEC, ReleasePlanStatus(), service="users", label="2.1", version="aaaaaaaa"
        )
        assert (directive.order, directive.open) == ("Wait", True)

    @pytest.mark.parametrize("label", ["1.9", "3.0"])
    def test_a_version_that_is_not_the_plans_is_free(self, label):
        assert (
            directive_of("shop", self.SPEC, ReleasePlanStatus(), service="users", label=label, version="aaaaaaaa")
            is None
        )

    def test_a_plan_that_succeeded_says_nothing(self):
        done = ReleasePlanStatus(phase="Succeeded")
        assert directive_of("shop", self.SPEC, done, service="users", label="2.1", version="aaaaaaaa") is None

    def test_a_service_of_another_plan_is_waited_for(self):
        view = ServiceView("2.1", "aaaaaaaa", taken_by="older")
        outlook = coordinate(self.SPEC, ReleasePlanStatus(), {"users": view}, World(desired=version_desired("v1")).now)
        assert outlook.blocked_by == "users belongs to plan older until that has ended"
