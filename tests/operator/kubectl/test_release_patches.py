"""Promotions, aborts, rollbacks and retries, as the planner takes them; and what is refused with a cure."""

from dataclasses import replace

import pytest

from slipway_operator.kubectl import release_patches as patches
from slipway_operator.kubectl.release_patches import NotPossible
from slipway_operator.kubectl.snapshot import owners_of
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import ANY, GateState
from slipway_operator.spec.status import MicroserviceStatus
from support.release_snapshots import (
    NEW,
    OLD,
    apply,
    draining,
    first_one,
    no_pods,
    released,
    rolling,
    snapshot_of,
    stop_at,
    watching,
)
from support.release_world import Nature, running


def test_a_promotion_lets_the_waiting_version_through():
    world = released(auto_promote=False)
    patch = patches.promote(stop_at(world, Stage.PROMOTING))

    apply(world, patch)
    world.settle()

    assert patch.patch == {"spec": {"release": {"promote": NEW}}}
    assert world.active == NEW


@pytest.mark.parametrize("stage", [Stage.MIGRATING, Stage.STARTING, Stage.CHECKING, Stage.PROMOTING, Stage.HANDING_OVER,
                                   Stage.VERIFYING, Stage.WATCHING])  # fmt: skip
def test_an_abort_leads_back_from_every_step(stage):
    world = released()
    patch = patches.abort(stop_at(world, stage) if stage is not Stage.PROMOTING else _waiting(world))

    apply(world, patch)
    world.settle()

    assert world.active == OLD
    assert world.facts.stable == OLD
    assert snapshot_of(world).status.phase == "Released"


def _waiting(world):
    world.desired = replace(world.desired, auto_promote=False)
    return stop_at(world, Stage.PROMOTING)


def test_an_aborted_promotion_is_asked_for_again():
    """Else a retry would let the version through that a person gave up."""
    world = released(auto_promote=False)
    apply(world, patches.promote(stop_at(world, Stage.PROMOTING)))
    apply(world, patches.abort(stop_at(world, Stage.WATCHING)))
    world.settle()

    apply(world, patches.retry(snapshot_of(world), world.now))
    world.settle()

    assert world.active == OLD
    assert snapshot_of(world).status.phase == "Waiting"


def test_a_rollback_and_a_retry_go_back_and_forth():
    world = released()
    world.settle()
    back = patches.rollback(snapshot_of(world))
    assert back.release == {"activeVersion": OLD}
    apply(world, back)
    world.settle()
    assert world.active == OLD

    forth = patches.retry(snapshot_of(world), world.now)
    assert forth.release == {"activeVersion": None}
    apply(world, forth)
    world.settle()
    assert world.active == NEW


@pytest.mark.parametrize("name", [OLD, f"orders-{OLD}", f"sv/orders-{OLD}", "1.0"])
def test_a_version_is_named_by_hash_name_or_label(name):
    world = released()
    world.settle()

    assert patches.rollback(snapshot_of(world), name).release == {"activeVersion": OLD}


def test_a_pause_is_lifted_by_what_leads_back():
    world = released()
    stop_at(world, Stage.CHECKING)
    apply(world, patches.pause(snapshot_of(world)))
    world.round()
    snapshot = snapshot_of(world)
    assert snapshot.status.phase == "Paused"

    patch = patches.abort(snapshot)

    assert patch.release == {"activeVersion": OLD, "paused": None}
    assert any("the pause is lifted" in note for note in patch.notes)
    apply(world, patch)
    world.settle()
    assert world.active == OLD


def test_a_retry_ends_a_hold():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()
    world.natures[NEW] = Nature()

    patch = patches.retry(snapshot_of(world), world.now)

    assert set(patch.release) == {"retry"}
    apply(world, patch)
    world.settle()
    assert world.active == NEW


def _at_rest():
    return snapshot_of(running(OLD))


def _held():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()
    return snapshot_of(world)


def _after_contract():
    world = released(contract=True)
    world.settle()
    return snapshot_of(world)


def _two_released():
    world = released()
    world.settle()
    return snapshot_of(world)


REFUSED = [
    (_at_rest, patches.promote, "no release is going on, and 1.0 (aaaaaaa1) is active"),
    (lambda: stop_at(*no_pods()), patches.promote, "is promoted by itself, since strategy.autoPromote is true"),
    (lambda: stop_at(*watching()), patches.promote, "is promoted by itself"),
    (_held, patches.promote, "held after a failure; to try it again: kubectl slipway retry orders -n shop"),
    (_at_rest, patches.abort, "nothing can be aborted"),
    (lambda: stop_at(*draining()), patches.abort, "is released; to go back: kubectl slipway rollback orders -n shop"),
    (lambda: stop_at(*first_one()), patches.abort, "is the first version: there is none to stay with"),
    (_two_released, lambda p: patches.rollback(p, "9.9"), "version 9.9 is not kept. Kept: 1.0 (aaaaaaa1)"),
    (_two_released, lambda p: patches.rollback(p, "2.0"), "is active already. Kept: 1.0 (aaaaaaa1)"),
    (_after_contract, lambda p: patches.rollback(p, "1.0"), "can't come back: the contract migration of bbbbbbb2"),
    (_after_contract, patches.rollback, "no former version that could come back. No other version is kept"),
    (_held, lambda p: patches.rollback(p, "2.0"), "is held after a failure (gate smoke failed)"),
    (lambda: stop_at(*no_pods()), lambda p: patches.rollback(p, "2.0"), "is being released right now"),
    (lambda: stop_at(*no_pods()), lambda p: patches.rollback(p, "1.0"), "kubectl slipway abort orders -n shop"),
    (_at_rest, patches.resume, "is not paused"),
    (_at_rest, lambda p: patches.retry(p, p.now), "nothing is held or pinned"),
    (lambda: replace(_at_rest(), generation=2), patches.promote, "has not looked at the latest change"),
    (lambda: replace(_at_rest(), status=MicroserviceStatus()), patches.abort, "does it run?"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "decide", "sentence"), REFUSED, ids=[sentence[:40] for _, _, sentence in REFUSED])
def test_what_would_have_no_effect_is_refused_with_the_cure(make, decide, sentence):
    with pytest.raises(NotPossible) as refused:
        decide(make())

    assert sentence in str(refused.value)


def test_a_label_that_two_versions_have_names_neither():
    snapshot = _two_released()
    kept = {name: replace(each, label="1.0") for name, each in snapshot.kept.items()}

    with pytest.raises(NotPossible, match=r"several versions are called 1\.0: name one by its hash: aaaaaaa1"):
        patches.rollback(replace(snapshot, kept=kept), "1.0")


def test_a_rolling_release_is_not_taken_for_a_version():
    """While it rolls, requests go to all versions: none of them is the active one."""
    snapshot = stop_at(*rolling())

    assert snapshot.observed.active == ANY or snapshot.status.active_version == OLD
    assert patches.abort(snapshot).release == {"activeVersion": OLD}


def test_an_owner_of_the_field_is_warned_of():
    world = released(auto_promote=False)
    snapshot = replace(stop_at(world, Stage.PROMOTING), owners={"promote": "argocd-controller", "retry": "helm"})

    assert patches.promote(snapshot).warnings == (
        "release.promote was set by Argo CD, which may set it back: change it there as well",
    )


def test_owners_are_those_of_values_that_somebody_set():
    def entry(manager, *names, **more):
        return {"manager": manager, "fieldsV1": {"f:spec": {"f:release": {f"f:{name}": {} for name in names}}}} | more

    fields = [
        entry("helm", "promote", "paused"),
        entry("kubectl-slipway", "activeVersion"),
        entry("x", "retry", subresource="status"),
    ]
    release = {"promote": NEW, "paused": False, "activeVersion": OLD, "retry": "1"}

    assert owners_of({"metadata": {"managedFields": fields}, "spec": {"release": release}}) == {"promote": "helm"}
    assert owners_of({"metadata": {}, "spec": {}}) == {}
