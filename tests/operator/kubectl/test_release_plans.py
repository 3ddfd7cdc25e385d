"""What `kubectl slipway plan` says and refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from slipway_operator.kubectl.errors import NotPossible
from slipway_operator.kubectl.release_plans import abort_plan, plan_lines, plan_snapshot, promote_plan

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
WAVES = [
    {"name": "first", "services": [{"name": "users", "version": ">=2, <3"}]},
    {"name": "second", "services": [{"name": "orders", "version": "2.0", "dependsOn": ["users"]}]},
]


def snapshot(status=None, **spec):
    manifest = {
        "metadata": {"name": "shop", "generation": 1},
        "spec": {"waves": WAVES} | spec,
        "status": {"observedGeneration": 1} | (status or {}),
    }
    return plan_snapshot(manifest, NOW)


RELEASING = {
    "phase": "Releasing",
    "wave": "second",
    "released": 1,
    "started": (NOW - timedelta(minutes=3)).isoformat(),
    "blockedBy": "orders: 1 of 2 pods are ready",
    "services": [
        {"name": "users", "order": "Go", "state": "Released", "message": "its rest is of no interest"},
        {"name": "orders", "order": "Go", "state": "Releasing", "message": "1 of 2 pods are ready"},
    ],
}


def test_a_plan_reads_as_waves_of_services():
    assert plan_lines(snapshot(RELEASING)) == [
        "plan shop: Releasing, 1 of 2 released, for 3 min",
        "  waits: orders: 1 of 2 pods are ready",
        "  wave first",
        "    users >=2, <3  Released",
        "  wave second (now)",
        "    orders 2.0  Releasing: 1 of 2 pods are ready",
    ]


def test_a_plan_that_nobody_has_looked_at_says_so():
    lines = plan_lines(snapshot({"observedGeneration": -1}))
    assert "  the operator has not looked at it yet" in lines
    assert "    users >=2, <3  not looked at yet" in lines


def test_decisions_are_fields_of_the_spec():
    assert promote_plan(snapshot(paused=True)).patch == {"spec": {"paused": False}}
    assert promote_plan(snapshot()).patch == {}
    assert abort_plan(snapshot(RELEASING)).patch == {"spec": {"abort": True}}
    assert abort_plan(snapshot(RELEASING | {"failure": "orders: no"})).patch == {}


@pytest.mark.parametrize("decide", [promote_plan, abort_plan])
def test_a_plan_that_has_ended_can_not_be_decided(decide):
    with pytest.raises(NotPossible, match="carried out once"):
        decide(snapshot({"phase": "Succeeded", "ended": NOW.isoformat()}))


def test_a_plan_that_can_never_be_carried_out_is_not_promoted():
    circle = [{"name": "first", "services": [{"name": "users", "version": ">=2, <1"}]}]
    with pytest.raises(NotPossible, match="no version of users can be in the range"):
        promote_plan(snapshot(waves=circle, paused=True))
