"""The pure parts of the local runtime: what is seen, what a step changes, what a version is, what is told."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from slipway_gateway.envoy import envoy_config
from slipway_gateway.inner import Inner, endpoints
from slipway_gateway.settings_file import checked as settings_of
from slipway_operator.errors import LocalRuntimeError, NotRunning
from slipway_operator.planning import steps as s
from slipway_operator.planning.facts import Facts
from slipway_operator.planning.observed import ANY, GateState, JobState
from slipway_operator.runtimes.local import gate_checks
from slipway_operator.runtimes.local.contract_gate import Exports, compared, wanted
from slipway_operator.runtimes.local.executing import applied, resumed
from slipway_operator.runtimes.local.gateway import Endpoints
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.observing import (
    Process,
    Seen,
    absorbed,
    desired,
    member_of,
    observed,
    wanted_endpoints,
)
from slipway_operator.runtimes.local.progress import Teller, in_words
from slipway_operator.runtimes.local.releasing import Controls
from slipway_operator.runtimes.local.state import DesiredRelease, Files, GateRun, Kept, Migration, ServiceState
from slipway_operator.runtimes.local.system import Releasing, Service, System
from slipway_operator.runtimes.local.versions import DEV, Version, Versions, working_tree
from slipway_operator.spec.gates import Gate
from support.repository import ROOT

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SERVICE = Service(name="orders")
ONE = Version(hash="1" * 8, label="1", processes=SERVICE.processes, made=NOW)
TWO = Version(hash="2" * 8, label="2", processes=SERVICE.processes, made=NOW)
VERSIONS = {ONE.hash: ONE, TWO.hash: TWO}


def process(version=ONE, component="http", **changes):
    return replace(Process(version.hash, component, pid=7, port=18010, ready=True), **changes)


def state(active=ONE, **wanted):
    kept = {version: Kept(revision=1, wanted=wanted or {"http": 1}) for version in VERSIONS}
    return ServiceState(versions=kept, active=active.hash if active else None)


def see(state_, *processes, **seen):
    return observed(SERVICE, state_, VERSIONS, Facts(), Seen(processes=processes, **seen))


class TestObserved:
    def test_components_without_a_process_are_there_with_zeros(self):
        view = see(state()).versions[ONE.hash]

        assert set(view.serving) == {"http"}
        assert set(view.workers) == {"worker"}
        assert (view.wanted, view.pods, view.endpoints) == (1, 0, 0)

    @pytest.mark.parametrize(
        ("changes", "pods", "endpoints_"),
        [({}, 1, 1), ({"ready": False}, 1, 0), ({"ending": True}, 1, 0), ({"alive": False, "ready": False}, 0, 0)],
    )
    def test_a_process_that_ends_is_there_until_it_has_ended_and_gets_no_requests(self, changes, pods, endpoints_):
        view = see(state(), process(**changes)).versions[ONE.hash]

        assert (view.pods, view.endpoints) == (pods, endpoints_)

    def test_behind_the_active_address_is_what_envoy_says(self):
        two = process(TWO, port=18210)
        hosts = {"http": [18010, 18210], "routes": [18210]}

        assert see(state(active=TWO), process(), two, hosts=hosts).active_endpoints == {ONE.hash: 1, TWO.hash: 1}

    def test_while_envoy_is_away_it_is_what_envoy_will_read(self):
        assert see(state(active=TWO), process(), process(TWO, port=18210)).active_endpoints == {TWO.hash: 1}

    def test_an_endpoint_of_a_process_that_is_gone_counts_for_nobody(self):
        assert see(state(), process(), hosts={"http": [9]}).active_endpoints == {}

    def test_who_was_not_asked_is_not_known_and_who_does_not_answer_neither(self):
        assert see(state()).group is None
        assert see(state(), broker=False).group.known is False
        group = see(state(), clients=["orders-consumer-2-laptop", "kafka-python-3.0"]).group
        assert group.members == {TWO.hash: 1, "": 1}

    def test_members_are_told_apart_by_the_longest_name_that_fits(self):
        longer = ONE.model_copy(update={"hash": "3" * 8, "label": "2-hotfix"})
        versions = {**VERSIONS, longer.hash: longer}

        assert member_of("orders", "orders-consumer-2-hotfix-host-a", versions) == longer.hash
        assert member_of("orders", "orders-consumer-2-host-a", versions) == TWO.hash

    def test_processes_that_end_again_and_again_are_a_problem_since_the_first_time(self):
        since = NOW - timedelta(seconds=9)
        fallen = process(alive=False, ready=False, failing_since=since, said="no such table")

        problem = see(state(), fallen).versions[ONE.hash].problem

        assert (problem.reason, problem.since) == ("CrashLoop", since)
        assert "no such table" in problem.message

    def test_an_ended_migration_is_kept(self):
        running = state().model_copy(update={"migrations": (Migration(version=TWO.hash, kind="expand", attempt=3),)})
        ended = process(TWO, "expand", alive=False, ready=False, ended=1, said="relation exists")

        [job] = absorbed(running, Seen(processes=[ended])).migrations

        assert (job.state, job.attempt) == (JobState.FAILED, 3)
        assert "relation exists" in job.message

    def test_a_result_of_another_run_is_not_taken(self):
        run = GateRun(version=TWO.hash, gate="api", attempt=1, run=2, started=NOW, first_started=NOW)
        earlier = run.model_copy(update={"run": 1, "state": GateState.PASSED})

        assert absorbed(state().model_copy(update={"gates": (run,)}), Seen(gates=[earlier])).gates == (run,)


class TestApplied:
    def test_a_size_is_kept_for_the_component_alone(self):
        after = applied(state(http=1), s.ScaleWorkers(TWO.hash, "consumer", 1), NOW)

        assert after.versions[TWO.hash].wanted == {"http": 1, "consumer": 1}
        assert after.versions[ONE.hash].wanted == {"http": 1}

    def test_recording_again_forgets_nothing(self):
        assert applied(state(), s.RecordVersion(ONE.hash, 9), NOW) == state()

    def test_requests_move_to_the_ready_processes_of_the_version_alone(self):
        after = applied(state(), s.SwitchActive(TWO.hash), NOW)

        seen = Seen(processes=[process(), process(TWO, port=18210), process(TWO, port=18211, ready=False)])
        assert wanted_endpoints(SERVICE, after, seen) == {"http": [18210]}

    def test_all_versions_at_once_are_refused(self):
        with pytest.raises(ValueError, match="move at once"):
            applied(state(), s.SwitchActive(ANY), NOW)

    def test_a_gate_keeps_when_it_was_asked_first_in_this_attempt(self):
        once = applied(state(), s.RunGate("api", TWO.hash, 1, 1), NOW)
        twice = applied(once, s.RunGate("api", TWO.hash, 1, 2), NOW + timedelta(seconds=5))
        anew = applied(twice, s.RunGate("api", TWO.hash, 2, 1), NOW + timedelta(seconds=9))

        assert [run.first_started for run in twice.gates] == [NOW]
        assert [run.first_started for run in anew.gates] == [NOW + timedelta(seconds=9)]

    def test_marks_and_retirement(self):
        marked = applied(state(), s.MarkDraining(ONE.hash), NOW)
        assert marked.versions[ONE.hash].draining
        assert not applied(marked, s.UnmarkDraining(ONE.hash), NOW).versions[ONE.hash].draining
        assert applied(state(), s.RetireVersion(ONE.hash, "why"), NOW).versions[ONE.hash].retired == "why"

    def test_forgetting_takes_all_of_the_version_along(self):
        begun = applied(state(), s.StartMigration(TWO.hash, "expand", 1), NOW)
        after = applied(begun, s.ForgetVersion(TWO.hash), NOW)

        assert set(after.versions) == {ONE.hash}
        assert (after.migrations, after.forgotten) == ((), (TWO.hash,))

    def test_after_a_stop_what_was_under_way_begins_again(self):
        begun = applied(state(), s.StartMigration(TWO.hash, "expand", 1), NOW)
        begun = applied(begun, s.RunGate("api", TWO.hash, 1, 1), NOW)

        after = resumed(begun, VERSIONS)
        assert (after.migrations, after.gates) == ((), ())
        assert after.versions == begun.versions

    def test_a_process_that_the_working_tree_lost_is_not_started_again(self):
        without = ONE.model_copy(update={"processes": ("http",)})

        after = resumed(state(http=1, consumer=1), {**VERSIONS, ONE.hash: without})

        assert after.versions[ONE.hash].wanted == {"http": 1}


class TestVersions:
    @pytest.fixture(name="code")
    def _code(self, tmp_path):
        package = tmp_path / "code" / "src" / "orders"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("A = 1\n")
        return tmp_path / "code"

    @pytest.fixture(name="versions")
    def _versions(self, tmp_path):
        Files(tmp_path / "releases")
        return Versions(tmp_path / "releases", SERVICE)

    def test_the_code_is_copied_and_stays_what_it_was(self, code, versions):
        kept = versions.keep("2", source=code, env={"A": "1"})
        (code / "src" / "orders" / "__init__.py").write_text("A = 2\n")

        assert versions.all()[kept.hash] == kept
        assert (
            code.parent / "releases" / "versions" / kept.hash / "code" / "orders" / "__init__.py"
        ).read_text() == "A = 1\n"

    def test_the_same_again_is_the_same_version(self, code, versions):
        assert versions.keep("2", source=code, env={}) == versions.keep("2", source=code, env={})

    def test_a_name_belongs_to_one_content(self, code, versions):
        versions.keep("2", source=code, env={})

        with pytest.raises(LocalRuntimeError, match="has a version 2 already"):
            versions.keep("2", source=code, env={"A": "1"})

    def test_what_is_no_service_is_refused_with_the_places_that_were_tried(self, tmp_path, versions):
        with pytest.raises(LocalRuntimeError, match=r"neither src/orders nor orders nor orders.py"):
            versions.keep("2", source=tmp_path, env={})

    def test_half_a_copy_is_no_version(self, code, versions, monkeypatch):
        def killed(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("shutil.copytree", killed)
        with pytest.raises(KeyboardInterrupt):
            versions.keep("2", source=code, env={})

        assert {version.label for version in versions.all().values()} == {DEV}

    def test_a_version_is_found_by_name_and_hash(self, versions):
        dev = working_tree(SERVICE)

        assert versions.named("dev") == versions.named(dev.hash) == dev
        with pytest.raises(LocalRuntimeError, match="has no version 7; kept: dev"):
            versions.named("7")

    def test_another_try_and_other_rules_are_another_wish(self):
        desired_release = DesiredRelease(version=ONE.hash)
        again = desired_release.model_copy(update={"retry": 1})
        gate = Gate.model_validate({"name": "api", "type": "http", "http": {"path": "/"}})
        stricter = SERVICE.model_copy(update={"release": Releasing(gates=(gate,))})

        prints = {
            desired(service, each, ONE, first=False).fingerprint
            for service, each in ((SERVICE, desired_release), (SERVICE, again), (stricter, desired_release))
        }

        assert len(prints) == 3
        assert desired(SERVICE, desired_release, ONE, first=True).watch == timedelta()


@pytest.mark.parametrize(
    ("gates", "sentence"),
    [
        ([{"name": "a", "type": "job"}], "on one machine gates are of type http or contracts"),
        ([{"name": "a", "type": "http"}], "has no settings under http"),
        ([{"name": "a", "type": "contracts"}, {"name": "a", "type": "contracts"}], "the same name"),
    ],
)
def test_gates_that_can_not_be_asked_are_refused(gates, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Releasing.model_validate({"gates": gates})


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ((200, "all is well"), (GateState.PASSED, "")),
        ((200, "well"), (GateState.FAILED, "the answer of /check does not contain 'all'")),
        ((500, "all"), (GateState.FAILED, "/check answered 500, not 200")),
        (None, (GateState.INCONCLUSIVE, "/check was not answered within 5 s")),
    ],
)
def test_a_gate_judges_status_and_content_and_no_answer_is_no_judgement(monkeypatch, answer, result):
    monkeypatch.setattr(gate_checks, "asked", lambda *_: answer)
    gate = Gate.model_validate({"name": "a", "type": "http", "http": {"path": "/check", "contains": "all"}})

    assert gate_checks.checked(gate, {"http": 1}, never) == result


def never(_):
    raise AssertionError("an http gate compares no contracts")


@pytest.mark.parametrize("allow", [False, True])
def test_what_a_contract_gate_allows_is_the_judges_affair(allow):
    gate = Gate.model_validate({"name": "a", "type": "contracts", "contracts": {"allowBreaking": allow}})
    told = []

    found = gate_checks.checked(gate, {"http": 1}, lambda allowed: told.append(allowed) or (GateState.INCONCLUSIVE, ""))

    assert (found[0], told) == (GateState.INCONCLUSIVE, [allow])


def test_endpoints_are_replaced_only_where_they_differ(tmp_path):
    there = Endpoints(tmp_path, 1)
    there.write(SERVICE, {"http": [1]})
    first = (tmp_path / "orders-http.json").stat().st_ino
    there.write(SERVICE, {"http": [1]})
    assert (tmp_path / "orders-http.json").stat().st_ino == first

    there.write(SERVICE, {"http": [2]})

    assert (tmp_path / "orders-http.json").stat().st_ino != first, "moved there, as Envoy expects it"
    assert json.loads((tmp_path / "orders-http.json").read_text()) == endpoints("orders-http", [2])
    assert list(tmp_path.iterdir()) == [tmp_path / "orders-http.json"]


def test_on_one_machine_every_service_has_an_address_that_stays():
    upstreams = {"orders": {"address": "127.0.0.1", "port": 1}}
    settings = settings_of({"upstreams": upstreams, "routes": [{"prefix": "/", "upstream": "orders", "public": True}]})

    config = envoy_config(settings, inner=Inner("/endpoints", {"orders-http": 18016}))["static_resources"]

    by_name = {cluster["name"]: cluster for cluster in config["clusters"]}
    for name in ("orders", "inner-orders-http"):
        discovery = by_name[name]["eds_cluster_config"]
        assert discovery["service_name"] == "orders-http"
        assert discovery["eds_config"]["path_config_source"]["path"] == "/endpoints/orders-http.json"
        assert "load_assignment" not in by_name[name]
    assert "inner-orders-http" in [listener["name"] for listener in config["listeners"]]
    plain = envoy_config(settings)["static_resources"]
    assert all("load_assignment" in cluster for cluster in plain["clusters"]), "elsewhere endpoints stand in it"


def test_what_is_told_has_names_and_processes(tmp_path):
    told = []
    teller = Teller("orders", tmp_path / "journal", lambda *line: told.append(line))

    teller.line("orders", "a line")

    assert told == [("orders", "a line")]
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
    assert in_words(f"0 of 1 pods of {TWO.hash} are ready", VERSIONS) == "0 of 1 processes of 2 are ready"
    assert in_words(f"{TWO.hash} (2) is active", VERSIONS) == "2 is active"


def test_files_of_a_release_are_for_their_owner_alone(tmp_path):
    files = Files(tmp_path / "releases" / "orders")
    files.write_state(state())
    files.write_desired_release(DesiredRelease(version=ONE.hash))

    assert files.state() == state()
    assert {path.stat().st_mode & 0o077 for path in files.folder.iterdir()} == {0}


def test_nobody_releases_where_nothing_runs(tmp_path):
    layout = Layout(tmp_path, gateway=0, base=0)
    system = System.model_construct(services=[SERVICE])

    with pytest.raises(NotRunning, match="slipway up"):
        Controls(layout, system, "orders")


@pytest.mark.parametrize(
    ("path", "state", "said"),
    [("/pay", GateState.PASSED, ""), ("/payment", GateState.FAILED, "/v1/orders/{order_id}/pay")],
)
def test_the_code_of_a_version_tells_what_it_promises(tmp_path, path, state, said):
    """Each in a process of its own; the storefront's pyproject.toml says that it calls /pay."""
    code = tmp_path / "orders"
    shutil.copytree(ROOT / "services" / "orders" / "src" / "orders", code)
    api = code / "entrypoints" / "http.py"
    api.write_text(api.read_text().replace('/pay"', f'{path}"'))
    dev = working_tree(Service(name="orders"))
    other = dev.model_copy(update={"hash": "0a1b2c3d", "label": "2", "source": str(tmp_path)})

    shop = {name: working_tree(Service(name=name)) for name in ("users", "inventory", "storefront")}
    exports = Exports()
    exports.begin(1, wanted("orders", [other, dev], shop))

    found = compared(exports, "orders", dev, other, shop)

    assert found[0] is state, found
    assert said in found[1]
    if state is GateState.FAILED:
        assert "storefront calls" in compared(exports, "orders", None, other, shop)[1]


def test_a_second_attempt_reads_the_code_anew(tmp_path):
    """Files of a working tree may have been mended since the first one."""
    code = tmp_path / "orders"
    shutil.copytree(ROOT / "services" / "orders" / "src" / "orders", code)
    api = code / "entrypoints" / "http.py"
    good = api.read_text()
    version = working_tree(Service(name="orders")).model_copy(update={"hash": "0a1b2c3d", "source": str(tmp_path)})
    exports, own = Exports(), [("orders", version)]
    shop = {name: working_tree(Service(name=name)) for name in ("users", "inventory")}
    api.write_text("raise SystemExit('broken')")
    exports.begin(1, own)
    assert compared(exports, "orders", None, version, shop)[0] is GateState.FAILED

    api.write_text(good)
    exports.begin(1, own)
    assert compared(exports, "orders", None, version, shop)[0] is GateState.FAILED
    exports.begin(2, own)
    assert compared(exports, "orders", None, version, shop)[0] is GateState.PASSED
