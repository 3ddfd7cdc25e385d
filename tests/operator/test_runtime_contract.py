"""One set of stories for every runtime: whatever carries out the planner's steps, people see the same releases."""

import itertools

import pytest

from support.cluster.control_plane import NEEDS, Cluster
from support.runtimes import FakeRuntime, KubernetesRuntime, LocalRuntime

RUNTIMES = [
    "fake",
    pytest.param("local", marks=pytest.mark.integration),
    pytest.param("kubernetes", marks=[
        pytest.mark.integration,
        pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
    ]),
]  # fmt: skip
_numbers = itertools.count(1)


@pytest.fixture(scope="module", name="clusters")
def _clusters(tmp_path_factory):
    """Started when the first story asks for it."""
    running = []

    def get():
        if not running:
            running.append(Cluster(tmp_path_factory.mktemp("cluster")).__enter__())
        return running[0]

    yield get
    for cluster in running:
        cluster.__exit__()


@pytest.fixture(params=RUNTIMES, name="runtime")
def _runtime(request, tmp_path, clusters):
    if request.param == "fake":
        made = FakeRuntime()
    elif request.param == "local":
        made = LocalRuntime(tmp_path / "data")
    else:
        made = KubernetesRuntime(clusters(), f"contract-{next(_numbers)}")
    try:
        yield made
        # In every story: somebody answers from the first answer on, and no two versions consume at once.
        assert made.wrongs == []
    finally:
        made.close()


def installed(runtime, version="1"):
    runtime.want(version)
    runtime.until_released(version)


def test_a_first_version_is_installed_with_its_consumers(runtime):
    installed(runtime)

    assert runtime.look() == ("1", {"1"}, True)


def test_a_release_moves_consumers_first_and_then_requests(runtime):
    installed(runtime)

    runtime.want("2")
    runtime.until_released("2")

    assert runtime.look() == ("2", {"2"}, True)
    assert ("1", {"2"}) in runtime.sights, "the new consumers are proved before a request depends on their version"
    assert ("2", {"1"}) not in runtime.sights


@pytest.mark.parametrize("bad", ["start", "gate", "migration"])
def test_a_bad_version_is_held_and_the_good_one_goes_on(runtime, bad):
    installed(runtime)

    runtime.want("2", bad)
    runtime.until_held("2")

    assert {active for active, _ in runtime.sights} <= {None, "1"}, "it never got a request"
    runtime.until(lambda: runtime.look() == ("1", {"1"}, True))
    runtime.want("3")
    runtime.until_released("3")


@pytest.mark.parametrize(("first", "second"), [("v1", "v2m"), ("v1m", "v2")], ids=["to a worker", "from a worker"])
def test_events_pass_from_two_processes_to_one_and_back(runtime, first, second):
    """A worker is consumer and relay in one; that no two versions consume at once holds here as everywhere."""
    installed(runtime, first)
    runtime.want(second)
    runtime.until_released(second)
    runtime.until(lambda: runtime.look() == (second, {second}, True))
    runtime.roll_back(first)
    runtime.until_released(first)
    runtime.until(lambda: runtime.look() == (first, {first}, True))


def test_a_rollback_moves_requests_first_and_then_consumers(runtime):
    installed(runtime)
    runtime.want("2")
    runtime.until_released("2")
    runtime.sights.clear()

    runtime.roll_back("1")
    runtime.until_released("1")

    assert runtime.look() == ("1", {"1"}, True)
    assert ("2", {"1"}) not in runtime.sights


@pytest.mark.parametrize("effects", [1, 3, 6, 10])
def test_whoever_carries_it_out_may_be_killed_in_the_middle(runtime, effects):
    installed(runtime)
    runtime.want("2")
    runtime.die_after(effects)

    runtime.until_released("2")

    assert runtime.look() == ("2", {"2"}, True)
    runtime.roll_back("1")  # nothing was forgotten
    runtime.until_released("1")


@pytest.mark.integration
def test_who_follows_a_release_has_read_how_it_ended_when_it_is_over(tmp_path, monkeypatch):
    """On one machine; in a cluster the Event is an object of its own."""
    runtime = LocalRuntime(tmp_path / "data")
    told, write = {}, runtime.files.write_status

    def write_status(status):
        told.setdefault(status.phase, list(runtime.lines))
        write(status)

    monkeypatch.setattr(runtime.files, "write_status", write_status)
    try:
        installed(runtime)
        runtime.want("2", bad="gate")
        runtime.until_held("2")
    finally:
        runtime.close()

    assert told["Failed"][-1] == "orders: version 1 answers; 2 is held back"


@pytest.mark.integration
def test_what_is_stopped_on_purpose_stays_down_and_is_migrated_before_it_answers_again(tmp_path):
    """On one machine; in a cluster it is a word of the spec."""
    runtime = LocalRuntime(tmp_path / "data")
    try:
        installed(runtime)

        suspend(runtime, "All")
        runtime.until(lambda: runtime.look() == ("1", frozenset(), False) and not runtime.processes.all())
        assert runtime.status()[0] == "Suspended"
        assert runtime.reconciler.rests
        suspend(runtime, "None")
        runtime.until(lambda: runtime.look() == ("1", {"1"}, True))

        assert [(each.kind, each.state.value) for each in runtime.reconciler.state.migrations] == [
            ("expand", "Succeeded")
        ]
    finally:
        runtime.close()


def suspend(runtime, what):
    wish = runtime.files.desired_release()
    changes = {"suspend": what, "generation": wish.generation + 1}
    runtime.files.write_desired_release(wish.model_copy(update=changes))
