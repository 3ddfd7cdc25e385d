"""What `kubectl slipway` says and decides, over statuses that the planner itself has made in a small pure world."""

import random
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest

from slipway_operator.errors import AccessUnknown, Missing, Outdated, Refused, Unreachable
from slipway_operator.kubectl import deciding, tree
from slipway_operator.kubectl.cluster import Target, error_of
from slipway_operator.kubectl.deciding import NotPossible
from slipway_operator.kubectl.explaining import explain, gives_up_at, window_opens
from slipway_operator.kubectl.picture import Kept, Picture, owners_of
from slipway_operator.kubectl.waiting import outcome
from slipway_operator.kubectl.words import clean, span
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import ANY, GateState
from slipway_operator.planning.remembering import facts_of, status_of
from slipway_operator.spec.status import MicroserviceStatus
from slipway_operator.spec.strategy import PromotionWindow
from support.release_world import TICK, Nature, World, running, version_desired

OLD, NEW, NEWEST = "aaaaaaa1", "bbbbbbb2", "ccccccc3"
LABELS = {OLD: "1.0", NEW: "2.0", NEWEST: "3.0"}
FOREVER = Nature(gate=GateState.RUNNING)


def picture_of(world, *, generation=1, **changes):
    """What the plugin reads when the operator has looked a moment ago."""
    made = world.plan()
    former = MicroserviceStatus()
    status = status_of(made, former, selector="", generation=generation, now=world.now)
    observed = replace(world.observe(), facts=facts_of(status))
    kept = {
        name: Kept(name, LABELS.get(name, name), view.revision, view.retired) for name, view in world.versions.items()
    }
    found = Picture(
        namespace="shop", name="orders", generation=generation, label=LABELS[world.desired.version],
        desired=world.desired, status=status, kept=kept, now=world.now, observed=observed,
    )  # fmt: skip
    return replace(found, **changes)


def released(**changes):
    """The first version is active, and the second one is wanted."""
    world = running(OLD)
    world.release(NEW, **changes)
    return world


def stop_at(world, stage, limit=60):
    """The operator looks and time goes on, until the release stands at the stage."""
    for _ in range(limit):
        made = world.plan()
        if made.shown.step == stage.title:
            return picture_of(world)
        world.round()
        world.tick()
    raise AssertionError(f"{stage} was not reached: {world.shown}")


def points(said):
    return dict(said.points)


def commands(said):
    return [command.removeprefix("kubectl slipway ").removesuffix(" -n shop") for command, _ in said.next]


# --- explain names what is not as it must be
def _stuck_expand():
    return released(), Stage.MIGRATING


def _no_pods():
    world = released(nature=Nature(starts=False))
    stop_at(world, Stage.STARTING)
    world.round()
    return world, Stage.STARTING


def _no_verdict():
    return released(nature=FOREVER), Stage.CHECKING


def _too_few():
    return released(replicas=4), Stage.SCALING


def _nobody_promotes():
    return released(auto_promote=False), Stage.PROMOTING


def _broker_away():
    world = released()
    world.broker = False
    return world, Stage.HANDING_OVER


def _rolling():
    world = running(OLD, rolling=True, replicas=4)
    world.release(NEW, rolling=True)
    return world, Stage.ROLLING


def _verifying():
    return released(), Stage.VERIFYING


def _watching():
    return released(), Stage.WATCHING


def _draining():
    return released(scale_down_delay=timedelta(hours=1)), Stage.DRAINING


def _contracting():
    return released(contract=True), Stage.CONTRACTING


def _first_one():
    return World(desired=version_desired(OLD), natures={OLD: Nature(starts=False)}), Stage.STARTING


STANDS = [
    (_stuck_expand, "expand migration has succeeded", "the expand migration runs", ["abort orders"]),
    (_no_pods, "1 ready pod of 2.0 (bbbbbbb2)", "0 of 1 pods of bbbbbbb2 are ready: image not found", ["abort orders"]),
    (_no_verdict, "gates before promotion have passed: smoke", "gate smoke is", ["abort orders"]),
    (_too_few, "4 ready pods of 2.0 (bbbbbbb2)", "1 of 4 pods of bbbbbbb2 are ready", ["abort orders"]),
    (_nobody_promotes, "a person promotes it, since strategy.autoPromote is false",
     "it waits for release.promote to name bbbbbbb2", ["promote orders", "abort orders"]),
    (_broker_away, "the former consumers have ended, then all", "consumers of aaaaaaa1", ["abort orders"]),
    (_rolling, "one by one, until there are 4 ready pods", "pods of bbbbbbb2 are ready", ["abort orders"]),
    (_verifying, "only pods of 2.0 (bbbbbbb2) are behind", "endpoints of aaaaaaa1 are still behind", ["abort orders"]),
    (_watching, "stays healthy for 30 s", "", ["abort orders"]),
    (_draining, "former versions are scaled down", "aaaaaaa1 stays up for a way back", []),
    (_contracting, "the contract migration has ended", "the contract migration runs", []),
    (_first_one, "1 ready pod of 1.0 (aaaaaaa1)", "0 of 1 pods", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "condition", "unmet", "next_"), STANDS, ids=lambda value: getattr(value, "__name__", "")
)
def test_explain_names_the_step_its_condition_and_what_is_unmet(make, condition, unmet, next_):
    world, stage = make()
    picture = stop_at(world, stage)

    said = explain(picture)

    assert f"step {stage.title}" in said.headline
    assert condition in points(said)["condition"]
    assert points(said)["unmet"] == picture.unmet
    assert unmet in points(said)["unmet"]
    assert points(said)["deadline"]
    assert [each for each in commands(said) if not each.startswith("kubectl")] == next_


def test_each_stage_of_a_release_has_its_words():
    picture = stop_at(*_no_pods())

    for stage in Stage:
        said = explain(replace(picture, status=picture.status.model_copy(update={"step": stage.title})))
        assert stage.title in said.headline
        assert points(said)["condition"]


@pytest.mark.parametrize("seed", range(60))
def test_the_deadline_that_is_told_is_the_one_the_planner_keeps(seed):
    """A second before it the version is not held; at it, it is. In whatever state chance leads a release."""
    chance = random.Random(seed)
    rolling = chance.random() < 0.3
    world = running(OLD, rolling=rolling)
    nature = Nature(starts=chance.random() > 0.3, consumes=chance.random() > 0.3,
                    gate=chance.choice(list(GateState)), watched=chance.choice(list(GateState)))  # fmt: skip
    world.broker = chance.random() > 0.3
    world.release(NEW, nature=nature, rolling=rolling)
    for _ in range(chance.randrange(1, 14)):
        world.round()
        world.tick()
    world.round()
    if world.plan().shown.step != world.shown.step:
        world.round()
    picture = picture_of(world)
    release = picture.facts.release
    ends = gives_up_at(picture, release, Stage.of(picture.status.step)) if release else None
    if ends is None or ends <= world.now:
        return
    world.facts = picture.facts

    def held_at(when):
        world.now = when
        return world.plan().facts.held

    assert held_at(ends - timedelta(seconds=1)) is None
    assert held_at(ends).version == NEW


def test_most_of_those_states_have_a_deadline():
    """Else the test above would look at nothing."""
    found = [stop_at(*make()) for make in (_stuck_expand, _no_pods, _no_verdict, _too_few, _broker_away, _rolling)]

    for picture in found:
        assert gives_up_at(picture, picture.facts.release, Stage.of(picture.status.step)) > picture.now


def test_a_deadline_that_passed_long_ago_tells_of_an_operator_that_does_not_run():
    picture = stop_at(*_no_pods())

    said = explain(replace(picture, now=picture.now + timedelta(hours=1)))

    assert "the operator does not seem to run" in points(said)["deadline"]
    assert said.next[0][0].startswith("kubectl get pods -A -l app.kubernetes.io/part-of=slipway")


def test_a_window_that_is_closed_says_when_it_opens():
    window = PromotionWindow.model_validate(
        {"days": ["Tue"], "from": "09:00", "to": "10:00", "timeZone": "Europe/Berlin"}
    )
    picture = stop_at(released(window=window), Stage.PROMOTING)

    said = explain(picture)

    assert f"{window_opens(picture):%Y-%m-%d %H:%M}" == "2026-01-06 08:00"
    assert "it opens at 2026-01-06 08:00:00 UTC" in points(said)["window"]
    assert "promotion window" in points(said)["unmet"]
    assert commands(said) == ["abort orders"]  # a promotion opens no window


def test_a_failed_version_says_why_and_how_to_try_again():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()

    said = explain(picture_of(world))

    assert "gave up 2.0 (bbbbbbb2)" in said.headline
    assert "GateFailed" in said.headline
    assert points(said)["why"] == "gate smoke failed"
    assert points(said)["gate"].startswith("smoke: failed")
    assert "1.0 (aaaaaaa1) gets all requests" in points(said)["meanwhile"]
    assert commands(said)[0] == "retry orders"


def test_a_rollback_to_a_version_that_is_gone_names_those_that_are_kept():
    world = released()
    world.settle()
    world.release(NEW, pinned="dddddddd")
    world.settle()

    said = explain(picture_of(world))

    assert "release.activeVersion names dddddddd, which is not kept" in points(said)["why"]
    assert points(said)["kept"] == "1.0 (aaaaaaa1), 2.0 (bbbbbbb2)"
    assert commands(said) == ["rollback orders --to VERSION", "retry orders"]


def test_the_way_back_says_so():
    world = released(nature=Nature(watched=GateState.FAILED))
    for _ in range(40):
        world.round()
        if world.facts.release and world.facts.release.kind == "Undo":
            break
        world.tick()

    said = explain(picture_of(world))

    assert said.headline.startswith("orders goes back to 1.0 (aaaaaaa1)")
    assert "because gate errors failed" in points(said)["unmet"]
    assert "never given up" in points(said)["deadline"]


def test_a_version_that_waits_behind_a_rollback_is_told():
    world = released()
    world.settle()
    world.release(NEW, pinned=OLD)
    world.settle()

    said = explain(picture_of(world))

    assert points(said)["pinned"].startswith(
        "release.activeVersion names 1.0 (aaaaaaa1); 2.0 (bbbbbbb2) of the spec waits"
    )
    assert commands(said) == ["retry orders"]


def test_at_rest_nothing_is_left_to_say():
    said = explain(picture_of(running(OLD)))

    assert said.headline == "orders waits for nothing: 1.0 (aaaaaaa1) is active"
    assert not said.points
    assert not said.next


def test_a_spec_that_the_operator_has_not_seen_is_told():
    picture = picture_of(running(OLD))

    late = explain(replace(picture, generation=2))
    never = explain(replace(picture, status=MicroserviceStatus()))

    assert "(generation 2), and the status speaks of generation 1" in points(late)["note"]
    assert never.headline == "orders has not been looked at by the operator yet"
    assert never.next[0][0].startswith("kubectl get pods -A")


def test_what_may_not_be_seen_is_not_told():
    picture = stop_at(*_no_pods())

    said = explain(replace(picture, observed=None, hidden=("pods",)))
    drawn = [line.text for line in tree.lines(tree.tree(replace(picture, observed=None, hidden=("pods",))))]

    assert "pods" not in points(said)
    assert any("you may not list pods" in text for text in drawn)
    assert not any("ready pods" in text or "of 1 ready" in text for text in drawn)


# --- the tree
def texts(picture):
    return [line.branch + line.text for line in tree.lines(tree.tree(picture))]


def test_the_tree_shows_the_candidate_its_gates_and_that_its_consumers_wait():
    drawn = texts(stop_at(*_nobody_promotes()))

    assert drawn[0] == "· orders in shop · Waiting · Promoting · for 0 s · 2/2 ready"
    assert "├── 2.0 (bbbbbbb2)  candidate, preview" in drawn
    assert "│   ├── ✔ http  2 of 2 ready" in drawn
    assert "│   ├── · consumer  not started before the handover" in drawn
    assert "│   ├── ✔ gate smoke  passed (before promotion)" in drawn
    assert "│   └── · gate errors  not asked yet (while it is watched)" in drawn
    assert "├── 1.0 (aaaaaaa1)  active" in drawn
    assert "└── ✔ consumers  1/1 of aaaaaaa1: the handover comes after the promotion" in drawn


def test_the_tree_shows_how_long_nobody_consumes():
    world, stage = _broker_away()
    stop_at(world, stage)
    world.round()
    world.tick()

    assert any("no consumer for 15 s so far" in line for line in texts(picture_of(world)))


def test_a_failed_version_is_in_the_tree_with_what_failed():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()

    drawn = texts(picture_of(world))

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
    picture = picture_of(world)

    top = [node.text for node in tree.tree(picture).children]

    for name, view in picture.observed.versions.items():
        headed = [text for text in top if text.startswith(f"{LABELS[name]} ({name})")]
        assert len(headed) <= 1
        assert headed or not view.pods


def test_a_terminal_without_unicode_gets_ascii():
    drawn = tree.lines(tree.tree(stop_at(*_no_pods())), tree.ASCII)

    assert all((line.branch + line.text).isascii() for line in drawn)


def test_what_a_terminal_would_obey_is_taken_out():
    evil = "a\x1b[2J\x1b]0;title\x07b\r\nc\u202e\x9bd\u200b"
    picture = stop_at(*_no_pods())
    status = picture.status.model_copy(update={"blocked_by": evil})

    drawn = texts(replace(picture, status=status))
    said = explain(replace(picture, status=status))

    for text in [*drawn, *(sentence for _, sentence in said.points)]:
        assert not any(unicodedata.category(each) in {"Cc", "Cf"} for each in text)
    assert len(clean("x" * 100_000)) <= 600


# --- decisions, as the planner takes them
def apply(world, decision):
    """The planner's wishes after the write."""
    fields = {"promote": "promote", "activeVersion": "pinned", "paused": "paused"}
    changes = {fields[name]: value for name, value in decision.release.items() if name in fields}
    if "paused" in changes:
        changes["paused"] = bool(changes["paused"])
    if "retry" in decision.release:
        changes["fingerprint"] = "ffffffff"
    world.desired = replace(world.desired, **changes)
    world.allowed |= {changes.get("promote"), changes.get("pinned")}


def test_a_promotion_lets_the_waiting_version_through():
    world = released(auto_promote=False)
    decision = deciding.promote(stop_at(world, Stage.PROMOTING))

    apply(world, decision)
    world.settle()

    assert decision.patch == {"spec": {"release": {"promote": NEW}}}
    assert world.active == NEW


@pytest.mark.parametrize("stage", [Stage.MIGRATING, Stage.STARTING, Stage.CHECKING, Stage.PROMOTING, Stage.HANDING_OVER,
                                   Stage.VERIFYING, Stage.WATCHING])  # fmt: skip
def test_an_abort_leads_back_from_every_step(stage):
    world = released()
    decision = deciding.abort(stop_at(world, stage) if stage is not Stage.PROMOTING else _waiting(world))

    apply(world, decision)
    world.settle()

    assert world.active == OLD
    assert world.facts.stable == OLD
    assert picture_of(world).status.phase == "Released"


def _waiting(world):
    world.desired = replace(world.desired, auto_promote=False)
    return stop_at(world, Stage.PROMOTING)


def test_an_aborted_promotion_is_asked_for_again():
    """Else a retry would let the version through that a person gave up."""
    world = released(auto_promote=False)
    apply(world, deciding.promote(stop_at(world, Stage.PROMOTING)))
    apply(world, deciding.abort(stop_at(world, Stage.WATCHING)))
    world.settle()

    apply(world, deciding.retry(picture_of(world), world.now))
    world.settle()

    assert world.active == OLD
    assert picture_of(world).status.phase == "Waiting"


def test_a_rollback_and_a_retry_go_back_and_forth():
    world = released()
    world.settle()
    back = deciding.rollback(picture_of(world))
    assert back.release == {"activeVersion": OLD}
    apply(world, back)
    world.settle()
    assert world.active == OLD

    forth = deciding.retry(picture_of(world), world.now)
    assert forth.release == {"activeVersion": None}
    apply(world, forth)
    world.settle()
    assert world.active == NEW


@pytest.mark.parametrize("name", [OLD, f"orders-{OLD}", f"sv/orders-{OLD}", "1.0"])
def test_a_version_is_named_by_hash_name_or_label(name):
    world = released()
    world.settle()

    assert deciding.rollback(picture_of(world), name).release == {"activeVersion": OLD}


def test_a_pause_is_lifted_by_what_leads_back():
    world = released()
    stop_at(world, Stage.CHECKING)
    apply(world, deciding.pause(picture_of(world)))
    world.round()
    picture = picture_of(world)
    assert picture.status.phase == "Paused"

    decision = deciding.abort(picture)

    assert decision.release == {"activeVersion": OLD, "paused": None}
    assert any("the pause is lifted" in note for note in decision.notes)
    apply(world, decision)
    world.settle()
    assert world.active == OLD


def test_a_retry_ends_a_hold():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()
    world.natures[NEW] = Nature()

    decision = deciding.retry(picture_of(world), world.now)

    assert set(decision.release) == {"retry"}
    apply(world, decision)
    world.settle()
    assert world.active == NEW


def _at_rest():
    return picture_of(running(OLD))


def _held():
    world = released(nature=Nature(gate=GateState.FAILED))
    world.settle()
    return picture_of(world)


def _after_contract():
    world = released(contract=True)
    world.settle()
    return picture_of(world)


def _two_released():
    world = released()
    world.settle()
    return picture_of(world)


REFUSED = [
    (_at_rest, deciding.promote, "no release is going on, and 1.0 (aaaaaaa1) is active"),
    (lambda: stop_at(*_no_pods()), deciding.promote, "is promoted by itself, since strategy.autoPromote is true"),
    (lambda: stop_at(*_watching()), deciding.promote, "is promoted by itself"),
    (_held, deciding.promote, "held after a failure; to try it again: kubectl slipway retry orders -n shop"),
    (_at_rest, deciding.abort, "nothing can be aborted"),
    (lambda: stop_at(*_draining()), deciding.abort, "is released; to go back: kubectl slipway rollback orders -n shop"),
    (lambda: stop_at(*_first_one()), deciding.abort, "is the first version: there is none to stay with"),
    (_two_released, lambda p: deciding.rollback(p, "9.9"), "version 9.9 is not kept. Kept: 1.0 (aaaaaaa1)"),
    (_two_released, lambda p: deciding.rollback(p, "2.0"), "is active already. Kept: 1.0 (aaaaaaa1)"),
    (_after_contract, lambda p: deciding.rollback(p, "1.0"), "can't come back: the contract migration of bbbbbbb2"),
    (_after_contract, deciding.rollback, "no former version that could come back. No other version is kept"),
    (_held, lambda p: deciding.rollback(p, "2.0"), "is held after a failure (gate smoke failed)"),
    (lambda: stop_at(*_no_pods()), lambda p: deciding.rollback(p, "2.0"), "is being released right now"),
    (lambda: stop_at(*_no_pods()), lambda p: deciding.rollback(p, "1.0"), "kubectl slipway abort orders -n shop"),
    (_at_rest, deciding.resume, "is not paused"),
    (_at_rest, lambda p: deciding.retry(p, p.now), "nothing is held or pinned"),
    (lambda: replace(_at_rest(), generation=2), deciding.promote, "has not looked at the latest change"),
    (lambda: replace(_at_rest(), status=MicroserviceStatus()), deciding.abort, "does it run?"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "decide", "sentence"), REFUSED, ids=[sentence[:40] for _, _, sentence in REFUSED])
def test_what_would_have_no_effect_is_refused_with_the_cure(make, decide, sentence):
    with pytest.raises(NotPossible) as refused:
        decide(make())

    assert sentence in str(refused.value)


def test_a_label_that_two_versions_have_names_neither():
    picture = _two_released()
    kept = {name: replace(each, label="1.0") for name, each in picture.kept.items()}

    with pytest.raises(NotPossible, match=r"several versions are called 1\.0: name one by its hash: aaaaaaa1"):
        deciding.rollback(replace(picture, kept=kept), "1.0")


def test_a_rolling_release_is_not_taken_for_a_version():
    """While it rolls, requests go to all versions: none of them is the active one."""
    picture = stop_at(*_rolling())

    assert picture.observed.active == ANY or picture.status.active_version == OLD
    assert deciding.abort(picture).release == {"activeVersion": OLD}


def test_an_owner_of_the_field_is_warned_of():
    world = released(auto_promote=False)
    picture = replace(stop_at(world, Stage.PROMOTING), owners={"promote": "argocd-controller", "retry": "helm"})

    assert deciding.promote(picture).warnings == (
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


# --- waiting
def story_of(world, version, *, forward, limit=80):
    """What one that waits is told at each look, to the end."""
    told = []
    for _ in range(limit):
        world.round()
        told.append(outcome(picture_of(world).status, 1, version, forward=forward))
        if told[-1].done or told[-1].failed:
            return told
        world.tick()
    raise AssertionError(told[-1])


def test_one_that_waits_for_a_promotion_is_told_when_it_is_accepted():
    world = released(auto_promote=False)
    apply(world, deciding.promote(stop_at(world, Stage.PROMOTING)))

    told = story_of(world, NEW, forward=True)

    assert told[-1].done
    assert world.facts.stable == NEW
    assert any("Watching" in each.line for each in told)


@pytest.mark.parametrize(
    "nature", [Nature(gate=GateState.FAILED), Nature(watched=GateState.FAILED), Nature(starts=False)]
)
def test_one_that_waits_for_a_bad_version_is_told_why_it_failed(nature):
    world = released(nature=nature)

    told = story_of(world, NEW, forward=True)

    assert told[-1].failed == world.facts.held.message


def test_one_that_waits_for_an_abort_waits_for_the_workers_too():
    world = released()
    apply(world, deciding.abort(stop_at(world, Stage.WATCHING)))

    told = story_of(world, OLD, forward=False)

    assert told[-1].done
    assert world.active == OLD
    assert world.consuming() == {OLD}


def test_a_version_that_is_superseded_ends_the_wait():
    world = released()
    stop_at(world, Stage.CHECKING)
    world.release(NEWEST)

    assert story_of(world, NEW, forward=True)[-1].failed == "another version is wanted now"


def test_a_status_of_the_spec_before_proves_nothing():
    world = released()
    world.settle()

    assert not outcome(picture_of(world).status, 2, NEW, forward=True).done


# --- words
def test_spans_have_two_units_at_most():
    lengths = [0, 59, 60, 200, 3600, 5400, 90000, -5]

    assert [span(timedelta(seconds=each)) for each in lengths] == [
        "0 s", "59 s", "1 min", "3 min 20 s", "1 h", "1 h 30 min", "1 d 1 h", "0 s",
    ]  # fmt: skip


FORBIDDEN = (
    'Error from server (Forbidden): microservices.slipway.dev "orders" is forbidden: User "ann" cannot patch resource '
    '"microservices" in API group "slipway.dev"'
)
NO_CONFIG = "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
NO_HOST = "E1125 01:00:00.0 memcache.go:265] couldn't get\nUnable to connect to the server: dial tcp: no such host"
WORDS = [
    (NO_CONFIG, AccessUnknown, "no kubeconfig names a cluster"),
    ('error: context "moon" does not exist', AccessUnknown, "kubectl config get-contexts"),
    ('error: the server doesn\'t have a resource type "microservices"', Missing, "helm install slipway-operator"),
    ('Error from server (NotFound): microservices.slipway.dev "x" not found', Missing, "no Microservice x"),
    (FORBIDDEN, Refused, "cannot patch resource"),
    (NO_HOST, Unreachable, "no such host"),
    ("Error from server (Conflict): Operation cannot be fulfilled", Outdated, "try again"),
    ("error: You must be logged in to the server (Unauthorized)", Refused, "sign in again"),
    ("", Refused, "said nothing"),
]


@pytest.mark.parametrize(("stderr", "kind", "sentence"), WORDS, ids=[sentence for _, _, sentence in WORDS])
def test_the_words_of_kubectl_become_a_sentence_with_a_cure(stderr, kind, sentence):
    error = error_of(stderr, Target(namespace="shop"))

    assert type(error) is kind
    assert sentence in str(error)


def test_a_tick_is_what_the_tests_above_take_it_for():
    assert timedelta(seconds=15) == TICK
