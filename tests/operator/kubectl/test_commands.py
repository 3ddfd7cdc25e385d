"""`kubectl slipway` as people run it: a process, against a real API server with the operator at work."""

import asyncio
import json
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import MICROSERVICE, RELEASE_PLAN, Key, Kind
from support.cluster.api_server import ApiServer
from support.cluster.control_plane import KUBECONFIG, NEEDS, Cluster
from support.cluster.namespace import hash_of, shop, spec
from support.repository import ROOT
from support.tools import tool

LACKING = [*NEEDS, *(["kubectl"] if tool("kubectl") is None else [])]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(LACKING), reason=f"not built: ci/tools/install.sh {' '.join(LACKING)}"),
]

PATIENCE = 150  # a deadline for what takes seconds on a machine with nothing else to do
SCRIPTS = Path(sys.executable).parent
POLICY = Kind("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies")
POLICY_BINDING = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"
)
# An owner that does not exist would have the service collected as garbage.
METADATA = (
    {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1-2-3"}]},
    {"finalizers": ["example.com/stays"]},
    {"labels": {"team": "another"}},
    {"annotations": {"note": "mine"}},
)
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def waiting(version, **changes):
    """A version that waits for a person."""
    return spec(version, **{"strategy": {"autoPromote": False, "scaleDownDelaySeconds": 0}, **changes})


class Terminal:
    """Runs commands as a person with this kubeconfig does."""

    def __init__(self, kubeconfig, namespace):
        self.namespace = namespace
        path = f"{SCRIPTS}:{tool('kubectl').parent}:/usr/bin:/bin"
        self.environment = {"PATH": path, "HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig)}

    async def start(self, *words, here=True, **environment):
        words = [*words, *(["-n", self.namespace] if here else [])]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *words, stdout=pipe, stderr=pipe, env=self.environment | environment
        )  # fmt: skip

    async def run(self, *words, **options):
        """Exit code, standard output, standard error."""
        process = await self.start(*words, **options)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def says(self, *words, code=0, **options):
        """Of the plugin. What it prints, where it ends with this code."""
        ended, out, err = await self.run("kubectl-slipway", *words, **options)
        assert ended == code, (words, out, err)
        return out if code == 0 else err


@asynccontextmanager
async def person(cluster, namespace, **options):
    async with shop(cluster, namespace) as world, world.operator(**options):
        yield world, Terminal(cluster.kubeconfig, namespace)


async def until_waiting(world, wanted):
    version = hash_of(wanted)
    await world.until(
        lambda status: status.get("candidateVersion") == version and status["phase"] == "Waiting", "it waits"
    )  # fmt: skip


def test_a_release_is_seen_explained_promoted_and_taken_back(cluster):
    async def story():
        async with person(cluster, "story") as (world, terminal):
            first, second = waiting("1.0"), waiting("2.0")
            old, new = hash_of(first), hash_of(second)
            await world.released(first)
            await world.want(second)
            await until_waiting(world, second)

            assert re.search(rf"orders +1\.0 \({old}\) +2\.0 \({new}\) +Waiting +Promoting", await terminal.says("get"))
            drawn = await terminal.says("status", "ms/orders")
            assert re.search(rf"2\.0 \({new}\)  candidate, preview", drawn)
            assert len(re.findall(rf"✔ Running  .+  orders-{old}-http-", drawn)) == 2
            said = await terminal.says("explain", "orders")
            assert f"release.promote to name {new}" in said
            assert "kubectl slipway promote orders -n story" in said

            assert f"2.0 ({new}) is active" in await terminal.says("promote", "orders", "--wait", "--timeout", "60s")
            assert await world.selected() == new
            assert "already" in await terminal.says("rollback", "orders", "--to", "2.0", code=1)
            assert f"1.0 ({old}) is active" in await terminal.says("rollback", "orders", "--wait")
            assert await world.selected() == old
            assert f"{new}) of the spec waits" in await terminal.says("explain", "orders")

            await terminal.says("retry", "orders")
            await until_waiting(world, second)
            assert f"1.0 ({old}) is active" in await terminal.says("abort", "orders", "--wait")
            rows = (await terminal.says("history", "orders")).splitlines()
            assert [row.split()[3] for row in rows[1:]] == ["Release", "Rollback", "Release", "Install"]
            assert rows[1].split()[6] == "Superseded"

    asyncio.run(story())


def test_a_plan_is_shown_promoted_and_aborted(cluster):
    async def story():
        async with shop(cluster, "plan") as world, world.operator() as operator:
            terminal, key = Terminal(cluster.kubeconfig, "plan"), Key("plan", "shop", RELEASE_PLAN)

            async def until_shown(words):
                async with asyncio.timeout(PATIENCE):
                    while words not in (said := await terminal.says("plan", "show", "rp/shop")):
                        await operator.reconciler.reconcile(key)
                return said

            await world.released(spec("1.0"))
            assert "no ReleasePlan shop" in await terminal.says("plan", "show", "shop", code=1)
            waves = [{"name": "first", "services": [{"name": "orders", "version": ">=2, <3"}]}]
            manifest = {"metadata": {"name": "shop"}, "spec": {"waves": waves, "paused": True}}
            await world.client.apply(RELEASE_PLAN, "plan", manifest)
            assert "the operator has not looked at it yet" in await terminal.says("plan", "show", "shop")
            await world.want(spec("2.0"))
            assert "orders >=2, <3  Prepared" in await until_shown("Prepared")
            assert await world.selected() == hash_of(spec("1.0"))

            assert "goes on" in await terminal.says("plan", "promote", "shop")
            assert "plan shop: Succeeded, 1 of 1 released" in await until_shown("Succeeded")
            assert await world.selected() == hash_of(spec("2.0"))
            assert "carried out once" in await terminal.says("plan", "abort", "shop", code=1)

    asyncio.run(story())


def test_only_fields_of_the_release_are_written_under_the_own_name(cluster):
    async def story():
        async with person(cluster, "fields") as (world, terminal):
            await world.released(waiting("1.0"))
            before = await world.microservice()
            await terminal.says("pause", "orders")
            await world.until(lambda status: status["phase"] == "Paused", "it is paused")
            assert "kubectl slipway resume orders" in await terminal.says("explain", "orders")
            assert "is paused already" in await terminal.says("pause", "orders", code=1)
            after = await world.microservice()

            assert after["spec"].pop("release") == {"paused": True}
            before["spec"].pop("release", None)
            assert after["spec"] == before["spec"]
            assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
            owned = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
            assert list(owned["kubectl-slipway"]) == ["f:spec"]
            assert set(owned["kubectl-slipway"]["f:spec"]) == {"f:release"}
            await terminal.says("resume", "orders")
            await world.until(lambda status: status["phase"] == "Released", "it goes on")

    asyncio.run(story())


def test_a_bad_version_ends_the_wait_with_its_reason(cluster):
    async def story():
        async with person(cluster, "bad") as (world, terminal):
            gates = [{"name": "smoke", "type": "http", "http": {"path": "/readyz"}, "intervalSeconds": 1,
                      "timeoutSeconds": 30}]  # fmt: skip
            await world.released(waiting("1.0"))
            world.answers.status = 500
            wanted = waiting("2.0", gates=gates, watchSeconds=1)
            await world.want(wanted)
            await world.until(lambda status: status["phase"] == "Failed", "it is held")

            said = await terminal.says("explain", "orders")
            assert "gave up 2.0" in said
            assert "GateFailed" in said
            assert re.search(r"gate +smoke: failed .* ago: .*500", said)
            assert "✖ gate smoke  failed" in await terminal.says("status", "orders")
            assert "to try it again: kubectl slipway retry" in await terminal.says(
                "promote", "orders", "--wait", code=1
            )
            assert "is held after a failure" in await terminal.says(
                "rollback", "orders", "--to", hash_of(wanted), code=1
            )

    asyncio.run(story())


def test_a_wait_that_takes_too_long_fails_and_shows_its_progress(cluster):
    async def story():
        async with person(cluster, "slow") as (world, terminal):
            await world.released(waiting("1.0"))
            strategy = {"autoPromote": False, "scaleDownDelaySeconds": 0, "progressDeadlineSeconds": 600}
            await world.want(waiting("2.0", strategy=strategy, watchSeconds=600))
            await until_waiting(world, waiting("2.0"))

            said = await terminal.says("promote", "orders", "--wait", "--timeout=8s", code=1)

            assert "Watching" in said
            assert "not within 8 s; the decision stands" in said
            assert "kubectl slipway explain orders -n slow" in said

    asyncio.run(story())


def test_programs_get_json_and_yaml(cluster):
    async def story():
        async with person(cluster, "data") as (world, terminal):
            await world.released(spec("1.0"))
            version = hash_of(spec("1.0"))

            (row,) = json.loads(await terminal.says("get", "-o", "json"))
            assert (row["active"], row["phase"]) == ({"hash": version, "label": "1.0"}, "Released")
            assert any(
                each["namespace"] == "data"
                for each in yaml.safe_load(await terminal.says("get", "-A", "-o", "yaml", here=False))
            )
            one = json.loads(await terminal.says("status", "orders", "-o", "json"))
            assert one["versions"][0]["components"]["http"]["endpoints"] == 2
            assert json.loads(await terminal.says("explain", "orders", "-o", "json"))["next"] == []
            assert yaml.safe_load(await terminal.says("history", "orders", "-o", "yaml"))[0]["kind"] == "Install"

    asyncio.run(story())


def test_a_watch_tells_changes_into_a_pipe_and_ends_by_an_interrupt(cluster):
    async def story():
        async with person(cluster, "watch") as (world, terminal):
            await world.released(spec("1.0"))
            process = await terminal.start("kubectl-slipway", "status", "orders", "--watch")
            async with asyncio.timeout(PATIENCE):
                first = await process.stdout.readuntil(b"active")
            await world.released(spec("2.0"))
            async with asyncio.timeout(PATIENCE):
                told = await process.stdout.readuntil(f"2.0 ({hash_of(spec('2.0'))})  active".encode())
                process.send_signal(signal.SIGINT)
                rest, err = await process.communicate()

            assert process.returncode == 0, err
            assert b"\x1b" not in first + told + rest

    asyncio.run(story())


def test_kubectl_itself_finds_runs_and_completes_it(cluster):
    async def story():
        async with person(cluster, "plugin") as (world, terminal):
            await world.released(spec("1.0"), spec("2.0"))
            old = hash_of(spec("1.0"))

            code, out, err = await terminal.run("kubectl", "slipway", "get")
            assert code == 0, err
            assert out.startswith("NAME ")
            code, out, _ = await terminal.run("kubectl", "slipway", "--help", here=False)
            assert "Usage: kubectl slipway [OPTIONS] COMMAND" in out

            async def completed(*words):
                code, out, err = await terminal.run("kubectl", "__complete", "slipway", *words, here=False)
                assert code == 0, err
                return [line.partition("\t")[0] for line in out.splitlines()]

            assert {"promote", "rollback", "explain"} <= set(await completed(""))
            assert "orders" in await completed("status", "-n", "plugin", "")
            assert "ms/orders" in await completed("status", "-n", "plugin", "ms/o")
            assert old in await completed("rollback", "-n", "plugin", "orders", "--to", "")
            assert await completed("status", "-n", "nowhere", "") == [":4"]

    asyncio.run(story())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(cluster, shell):
    async def story():
        printed = await Terminal(cluster.kubeconfig, "none").says("completion", shell, here=False)
        assert "_KUBECTL_SLIPWAY_COMPLETE" in printed

    asyncio.run(story())


def test_what_it_cannot_do_is_one_sentence_with_the_cure(cluster, tmp_path):
    async def story():
        terminal = Terminal(cluster.kubeconfig, "default")

        async def refused(*words, code=1, **options):
            said = await terminal.says(*words, code=code, **options)
            assert "Traceback" not in said
            return said

        said = await refused("status", "orders")
        assert said == "error: there is no Microservice orders in namespace default: kubectl slipway get -A lists all\n"
        assert "there is no namespace nowhere" in await refused("status", "orders", "-n", "nowhere", here=False)
        assert "kubectl config get-contexts" in await refused("get", "--context", "moon")
        assert "can't be read" in await refused("get", "--kubeconfig", str(tmp_path / "none"))
        assert "no kubeconfig names a cluster" in await refused("get", KUBECONFIG=str(tmp_path / "none"))
        assert "kubectl was not found in PATH" in await refused("get", PATH=str(SCRIPTS))
        assert "is no name of a service" in await refused("status", "Orders!", code=2)
        assert "leave out -A" in await refused("get", "orders", "-A", code=2)
        assert "is no duration" in await refused("promote", "orders", "--timeout", "soon", code=2)
        assert "is no name of a namespace" in await refused("get", "--namespace=--all", code=2, here=False)
        code, out, err = await terminal.run("kubectl-slipway", "get")
        assert (code, out) == (0, "")
        assert err == "no Microservices in namespace default: kubectl slipway get -A lists all\n"

    asyncio.run(story())


def test_a_cluster_without_the_operators_kinds_is_told_what_to_install(tmp_path):
    async def story(server):
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(server=f"https://127.0.0.1:{server.port}", token="for-this-test-alone"))
        terminal = Terminal(kubeconfig, "default")
        for words in (("get",), *((verb, "orders") for verb in ("status", "promote", "adopt", "orphan"))):
            said = await terminal.says(*words, code=1)
            assert said.startswith("error: the cluster does not know Microservices: install the operator's chart")

    with ApiServer(tmp_path / "bare") as server:
        asyncio.run(story(server))


def documented():
    """The Role and the policy of docs/kubectl-slipway.md."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "kubectl-slipway.md").read_text(), re.DOTALL)
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def somebody(cluster, name):
    """A kubeconfig of a person without any right of their own."""
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["users"][0]["user"]["as"] = name
    path = cluster.kubeconfig.with_name(f"kubeconfig-{name}")
    path.write_text(yaml.safe_dump(content))
    return path


async def _grant(cluster, namespace, name):
    found = documented()
    async with Client(cluster.access, NoFence(), manager="person") as client:
        role = found["Role"]
        role["metadata"]["namespace"] = namespace
        await client.apply(ROLE, namespace, role)
        subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"kind": "Role", "name": role["metadata"]["name"], "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": {"name": "promoter"}, "subjects": [subject], "roleRef": reference}
        await client.apply(ROLE_BINDING, namespace, binding)
        await client.apply(POLICY, None, found["ValidatingAdmissionPolicy"])
        await client.apply(POLICY_BINDING, None, found["ValidatingAdmissionPolicyBinding"])


def test_the_documented_promoter_decides_and_changes_no_template(cluster):
    async def story():
        async with person(cluster, "roles") as (world, _):
            await world.released(waiting("1.0"))
            await world.want(waiting("2.0"))
            await until_waiting(world, waiting("2.0"))
            promoter = Terminal(somebody(cluster, "pat"), "roles")
            assert 'User "pat" cannot' in await promoter.says("get", code=1)
            await _grant(cluster, "roles", "pat")

            drawn = await promoter.says("status", "orders")
            assert "you may not list" not in drawn
            change = json.dumps({"spec": {"components": {"http": {"template": {"spec": {"hostNetwork": True}}}}}})
            words = ("kubectl", "patch", "ms", "orders", "--type=merge", f"--patch={change}")

            async def refused(*more):
                _, _, err = await promoter.run(*words, *more)
                return "You may decide about releases" in err

            # A policy is in force a moment after it was made; what it lets through until then must change nothing.
            async with asyncio.timeout(PATIENCE):
                while not await refused("--dry-run=server"):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert await refused()
            more = json.dumps({"spec": {"replicas": 9}})
            assert (await promoter.run("kubectl", "patch", "ms", "orders", "--type=merge", f"--patch={more}"))[0] == 1
            before = (await world.microservice())["metadata"]
            for changed in METADATA:
                patch = json.dumps({"metadata": changed})
                patched = await promoter.run("kubectl", "patch", "ms", "orders", "--type=merge", f"--patch={patch}")
                assert patched[0] == 1, changed
                assert "leave the metadata as it is" in patched[2]
            after = (await world.microservice())["metadata"]
            for name in ("ownerReferences", "finalizers", "labels", "annotations"):
                assert after.get(name) == before.get(name)
            version = hash_of(waiting("2.0"))
            assert f"2.0 ({version}) is active" in await promoter.says("promote", "orders", "--wait")
            await world.released(waiting("2.0") | {"watchSeconds": 2})  # who may update still changes the rest

    asyncio.run(story())


def test_what_one_may_not_see_is_said_and_left_out(cluster):
    async def story():
        async with person(cluster, "half") as (world, _):
            await world.released(spec("1.0"))
            await _grant(cluster, "half", "rob")
            async with Client(cluster.access, NoFence(), manager="person") as client:
                role = documented()["Role"]
                role["metadata"]["namespace"] = "half"
                role["rules"] = [rule for rule in role["rules"] if "pods" not in rule["resources"]]
                await client.apply(ROLE, "half", role)
            terminal = Terminal(somebody(cluster, "rob"), "half")

            async with asyncio.timeout(PATIENCE):
                while "you may not list pods" not in (drawn := await terminal.says("status", "orders")):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert f"1.0 ({hash_of(spec('1.0'))})  active" in drawn
            assert "0 of 2" not in drawn

    asyncio.run(story())


def test_a_tool_that_owns_the_field_is_warned_of(cluster):
    async def story():
        async with person(cluster, "gitops") as (world, terminal):
            await world.released(waiting("1.0"))
            old = hash_of(waiting("1.0"))
            async with Client(cluster.access, NoFence(), manager="argocd-controller") as argo:
                await argo.merge(MICROSERVICE, "gitops", "orders", {"spec": {"release": {"activeVersion": old}}})
            await world.want(waiting("2.0"))

            code, _, err = await terminal.run("kubectl-slipway", "retry", "orders")

            assert code == 0
            assert "warning: release.activeVersion was set by Argo CD, which may set it back" in err

    asyncio.run(story())


def test_texts_of_the_cluster_are_not_obeyed_by_the_terminal(cluster):
    async def story():
        async with person(cluster, "evil", looks=False) as (world, terminal):
            await world.want(spec("1.0"))
            evil = "\x1b[2J\x1b]0;owned\x07 \u202e gone"
            status = {"phase": "Released", "observedGeneration": 1, "blockedBy": evil, "activeVersion": "aaaaaaa1"}
            manifest = {"metadata": {"name": "orders"}, "status": status}
            await world.client.apply(MICROSERVICE, "evil", manifest, subresource="status")

            for words in ("get", "status orders", "explain orders", "get -o json", "get -o yaml", "promote orders"):
                _, out, err = await terminal.run("kubectl-slipway", *words.split())
                assert not {"\x1b", "\x07", "\u202e"} & set(out + err), words
            assert "gone" in await terminal.says("explain", "orders")

    asyncio.run(story())


def test_a_terminal_gets_colours_unless_it_asks_for_none(cluster):
    """FORCE_COLOR makes a pipe a terminal, as rich has it."""

    async def story():
        async with person(cluster, "colours") as (world, terminal):
            await world.released(spec("1.0"))
            wide = await terminal.says("status", "orders", FORCE_COLOR="1", COLUMNS="200")
            none = await terminal.says("status", "orders", FORCE_COLOR="1", COLUMNS="40", NO_COLOR="1")

            assert "\x1b[32m" in wide
            assert "\x1b[32m" not in none
            assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in none.splitlines()) <= 40

    asyncio.run(story())
