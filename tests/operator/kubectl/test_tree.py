"""The tree of versions, gates and consumers, and what a terminal is spared."""

import random
import unicodedata
from dataclasses import replace

import pytest

from slipway_operator.kubectl import tree
from slipway_operator.kubectl.explaining import explain
from slipway_operator.kubectl.text import clean
from slipway_operator.planning.observed import GateState
from support.release_snapshots import (
    LABELS,
    NEW,
    NEWEST,
    OLD,
    broker_away,
    no_pods,
    nobody_promotes,
    released,
    snapshot_of,
    stop_at,
)
from support.release_world import Nature, running


def texts(snapshot):
    return [line.branch + line.text for line in tree.lines(tree.tree(snapshot))]


def test_the_tree_shows_the_candidate_its_gates_and_that_its_consumers_wait():
    drawn = texts(stop_at(*nobody_promotes()))

    assert drawn[0] == "· orders in shop · Waiting · Promoting · for 0 s · 2/2 ready"
    assert "├── 2.0 (bbbbbbb2)  candidate, preview" in drawn
    assert "│   ├── ✔ http  2 of 2 ready" in drawn
    assert "│   ├── · consumer  not started before the handover" in drawn
    assert "│   ├── ✔ gate smoke  passed (before promotion)" in drawn
    assert "│   └── · gate errors  not asked yet (while it is watched)" in drawn
    assert "├── 1.0 (aaaaaaa1)  active" in drawn
    assert "└── ✔ consumers  1/1 of aaaaaaa1: the handover comes after the promotion" in drawn


def test_the_tree_shows_how_long_nobody_consumes():
    world, stage = broker_away()
    stop_at(world, stage)
    world.round()
    world.tick()

    assert any("no consumer for 15 s so far" in line for line in texts(snapshot_of(world)))


def test_a_failed_version_is_in_the_tree_with_what_failed():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()

    drawn = texts(snapshot_of(world))

    assert drawn[0].startswith("✖ orders in shop · Failed")
    assert "├── ✖ GateFailed: gate smoke failed" in drawn
    assert any("✖ 2.0 (bbbbbbb2)  held for" in line for line in drawn)
    assert any("✖ gate smoke  failed" in line for line in drawn)


@pytest.mark.parametrize("seed", range(40))
def test_every_running_version_is_in_the_tree_once(seed):
    chance = random.Random(seed)
    world = running(OLD)
    for version in (NEW, NEWEST):
        world.release(version, nature=Nature(starts=chance.random() > 0.3, gate=chance.choice(list(GateState))))
        for _ in range(chance.randrange(12)):
            world.round()
            world.tick()
    snapshot = snapshot_of(world)

    top = [node.text for node in tree.tree(snapshot).children]

    for name, view in snapshot.observed.versions.items():
        headed = [text for text in top if text.startswith(f"{LABELS[name]} ({name})")]
        assert len(headed) <= 1
        assert headed or not view.pods


def test_a_terminal_without_unicode_gets_ascii():
    drawn = tree.lines(tree.tree(stop_at(*no_pods())), tree.ASCII)

    assert all((line.branch + line.text).isascii() for line in drawn)


def test_what_a_terminal_would_obey_is_taken_out():
    evil = "a\x1b[2J\x1b]0;title\x07b\r\nc\u202e\x9bd\u200b"
    snapshot = stop_at(*no_pods())
    status = snapshot.status.model_copy(update={"blocked_by": evil})

    drawn = texts(replace(snapshot, status=status))
    said = explain(replace(snapshot, status=status))

    for text in [*drawn, *(sentence for _, sentence in said.points)]:
        assert not any(unicodedata.category(each) in {"Cc", "Cf"} for each in text)
    assert len(clean("x" * 100_000)) <= 600
