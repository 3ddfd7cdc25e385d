"""Each form of kubeconfig against a real API server: by the operator's client, and by kubectl as the plugin asks it."""

import asyncio
import base64
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from slipway_operator.errors import AccessUnknown, Unauthorized
from slipway_operator.kubectl import cluster as plugin
from slipway_operator.runtimes.kubernetes.api import exec_plugin, kubeconfig
from slipway_operator.runtimes.kubernetes.api.access import from_kubeconfig
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import MICROSERVICE, Kind
from support.cluster.authority import Authority, pem
from support.cluster.connect_proxy import ConnectProxy
from support.cluster.control_plane import NEEDS, TOKEN, Cluster
from support.cluster.namespace import spec
from support.cluster.operator_process import Process
from support.tools import tool

LACKING = [*NEEDS, *(["kubectl"] if tool("kubectl") is None else [])]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(LACKING), reason=f"not built: ci/tools/install.sh {' '.join(LACKING)}"),
]

REVIEW = Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews")
ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
BINDING = Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings")
CREDENTIAL = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}


@pytest.fixture(scope="module", name="authority")
def _authority():
    return Authority()


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("login")
    (folder / "clients.crt").write_text(pem(authority.certificate))
    with Cluster(folder, f"--client-ca-file={folder}/clients.crt") as running:
        asyncio.run(account(running))
        yield running


async def account(cluster):
    async with Client(cluster.access, NoFence(), manager="test") as client:
        await client.create(ACCOUNT, "default", {"metadata": {"name": "robot"}})
        await client.create(
            BINDING,
            None,
            {
                "metadata": {"name": "robot"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
            },
        )


def account_token(cluster):
    """A JWT that the API server takes, and that has an end: what an id-token is."""

    async def ask():
        async with Client(cluster.access, NoFence(), manager="test") as client:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            return await client._write("POST", ACCOUNT.path("default", "robot", "token"), body)

    return asyncio.run(ask())["status"]["token"]


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Config:
    """A kubeconfig in the making."""

    def __init__(self, folder, cluster, user, **of_cluster):
        self.path = folder / "config"
        authority = (cluster.folder / "certs" / "apiserver.crt").read_text()
        server = {"server": cluster.server, "certificate-authority-data": encoded(authority)}
        self.content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
            "clusters": [{"name": "c", "cluster": server | of_cluster}],
            "users": [{"name": "u", "user": user}],
        }
        self.write()

    def write(self):
        self.path.write_text(yaml.safe_dump(self.content))
        return str(self.path)


def plugin_of(folder, status, before="", name="credential"):
    """A script that prints an ExecCredential, and a line in ``calls`` each time."""
    script = folder / name
    content = json.dumps(CREDENTIAL | {"status": status})
    script.write_text(f"#!/bin/sh\necho call >> {folder}/calls\n{before}\ncat <<'END'\n{content}\nEND\n")
    script.chmod(0o755)
    return {"exec": {"apiVersion": CREDENTIAL["apiVersion"], "command": str(script), "interactiveMode": "Never"}}


def calls(folder):
    return len((folder / "calls").read_text().splitlines())


async def who(client):
    answer = await client._write("POST", REVIEW.path(None), {"apiVersion": REVIEW.api_version, "kind": REVIEW.name})
    return answer["status"]["userInfo"]["username"]


def user_of(paths):
    async def ask():
        async with Client(from_kubeconfig(paths), NoFence()) as client:
            return await who(client)

    return asyncio.run(ask())


def asked_by_kubectl(paths, monkeypatch):
    monkeypatch.setenv("PATH", f"{tool('kubectl').parent}:/usr/bin:/bin")
    monkeypatch.setenv("KUBECONFIG", paths)
    assert plugin.Cluster(plugin.Target(everywhere=True), print).microservices() == ([], [])


def token(folder, cluster, authority):
    return {"token": TOKEN}, "admin"


def token_file(folder, cluster, authority):
    (folder / "token").write_text(f"{TOKEN}\n")
    return {"tokenFile": "token", "token": "an-old-one"}, "admin"


def certificate_data(folder, cluster, authority):
    certificate, key = authority.client("ada")
    return {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}, "ada"


def certificate_files(folder, cluster, authority):
    for name, content in zip(("ada.crt", "ada.key"), authority.client("ada"), strict=True):
        (folder / name).write_text(content)
    return {"client-certificate": "ada.crt", "client-key": "ada.key"}, "ada"


def exec_token(folder, cluster, authority):
    return plugin_of(folder, {"token": TOKEN}), "admin"


def exec_beside_the_kubeconfig(folder, cluster, authority):
    user = plugin_of(folder, {"token": TOKEN})
    user["exec"]["command"] = "./credential"
    return user, "admin"


def exec_certificate(folder, cluster, authority):
    certificate, key = authority.client("grace")
    return plugin_of(folder, {"clientCertificateData": certificate, "clientKeyData": key}), "grace"


def id_token(folder, cluster, authority):
    given = {"id-token": account_token(cluster), "client-id": "slipway", "idp-issuer-url": "https://issuer.invalid"}
    return {"auth-provider": {"name": "oidc", "config": given}}, "system:serviceaccount:default:robot"


def impersonated(folder, cluster, authority):
    return {"token": TOKEN, "as": "ada", "as-groups": ["guests", "system:masters"]}, "ada"


USERS = [
    token, token_file, certificate_data, certificate_files, exec_token, exec_beside_the_kubeconfig, exec_certificate,
    id_token, impersonated,
]  # fmt: skip


@pytest.mark.parametrize("made", USERS, ids=[each.__name__ for each in USERS])
def test_each_kind_of_user_reaches_the_server(made, cluster, authority, tmp_path, monkeypatch):
    user, name = made(tmp_path, cluster, authority)
    paths = str(Config(tmp_path, cluster, user).path)

    assert user_of(paths) == name
    asked_by_kubectl(paths, monkeypatch)


def test_several_files_are_one_and_the_first_chooses(cluster, authority, tmp_path, monkeypatch):
    """Cluster and user stand in folders of their own, each with paths that are relative to it."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    user, _ = certificate_files(second, cluster, authority)
    (first / "ca.crt").write_text((cluster.folder / "certs" / "apiserver.crt").read_text())
    one, two = Config(first, cluster, {}), Config(second, cluster, user, server="https://127.0.0.1:1")
    one.content["clusters"][0]["cluster"] = {"server": cluster.server, "certificate-authority": "ca.crt"}
    del one.content["users"]
    two.content |= {"current-context": "elsewhere"}
    (tmp_path / "empty").write_text("")
    paths = f"{tmp_path}/empty:{tmp_path}/missing:{one.write()}:{two.write()}"

    assert user_of(paths) == "ada"
    assert from_kubeconfig(paths).login().namespace == "shop"
    asked_by_kubectl(paths, monkeypatch)


def behind(proxy):
    """A server that nothing but the proxy leads to, with a name that is not in its certificate."""
    return {
        "server": "https://api.invalid:6443", "proxy-url": proxy.url, "tls-server-name": "kubernetes.default.svc",
    }  # fmt: skip


def test_a_proxy_leads_to_a_server_with_another_name(cluster, authority, tmp_path, monkeypatch):
    user, name = exec_certificate(tmp_path, cluster, authority)
    with ConnectProxy(cluster.port) as proxy:
        paths = str(Config(tmp_path, cluster, user, **behind(proxy)).path)
        assert user_of(paths) == name
        asked_by_kubectl(paths, monkeypatch)
        assert set(proxy.asked) == {"CONNECT api.invalid:6443 HTTP/1.1"}


def test_the_whole_operator_goes_by_plugin_certificate_and_proxy(cluster, authority, tmp_path):
    """Lease, requests and kopf's watches: none has a way of its own."""
    user, _ = exec_certificate(tmp_path, cluster, authority)
    with ConnectProxy(cluster.port) as proxy:
        config = Config(tmp_path, cluster, user, **behind(proxy))
        with Process(config.path, tmp_path, "behind", lease="behind") as process:
            eventually(lambda: process.leads, within=30)
            time.sleep(2)  # what the first list would have told is told
            asyncio.run(wanted(cluster))
            eventually(lambda: asyncio.run(conditions(cluster)), within=20)  # the resync would take five minutes
            asyncio.run(unwanted(cluster))
        assert "Traceback" not in process.log.read_text()


async def wanted(cluster):
    async with Client(cluster.access, NoFence(), manager="person") as client:
        await client.apply(MICROSERVICE, "default", {"metadata": {"name": "told"}, "spec": spec("1.0")})


async def conditions(cluster):
    async with Client(cluster.access, NoFence()) as client:
        return ((await client.get(MICROSERVICE, "default", "told")).get("status") or {}).get("conditions")


async def unwanted(cluster):
    async with Client(cluster.access, NoFence(), manager="person") as client:
        await client.delete(MICROSERVICE, "default", "told")


def test_a_certificate_needs_no_disk(cluster, authority, tmp_path, monkeypatch):
    user, name = certificate_data(tmp_path, cluster, authority)
    paths = str(Config(tmp_path, cluster, user).path)
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    assert user_of(paths) == name


def told_in(story, paths, pause=None):
    async def tell():
        async with Client(from_kubeconfig(paths), NoFence()) as client:
            return await story(client)

    return asyncio.run(tell())


def test_credentials_that_have_an_end_are_asked_for_again(cluster, tmp_path):
    ends = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = plugin_of(tmp_path, {"token": TOKEN, "expirationTimestamp": ends})
    paths = str(Config(tmp_path, cluster, user).path)

    async def story(client):
        before = calls(tmp_path)
        assert await who(client) == "admin"
        assert calls(tmp_path) > before

    told_in(story, paths)


def test_credentials_without_an_end_are_asked_for_once(cluster, tmp_path):
    paths = str(Config(tmp_path, cluster, plugin_of(tmp_path, {"token": TOKEN})).path)

    async def story(client):
        for _ in range(3):
            assert await who(client) == "admin"

    told_in(story, paths)
    assert calls(tmp_path) == 1


def test_a_login_that_is_refused_is_followed_by_one_other(cluster, tmp_path):
    paths = str(Config(tmp_path, cluster, plugin_of(tmp_path, {"token": "not-any-more"})).path)

    async def story(client):
        plugin_of(tmp_path, {"token": TOKEN})
        names = await asyncio.gather(*(who(client) for _ in range(5)))
        assert names == ["admin"] * 5

    told_in(story, paths)
    assert calls(tmp_path) == 2


def test_a_login_that_is_refused_twice_is_told(cluster, tmp_path):
    paths = str(Config(tmp_path, cluster, plugin_of(tmp_path, {"token": "a"})).path)

    async def story(client):
        plugin_of(tmp_path, {"token": "b"})
        with pytest.raises(Unauthorized, match="401 Unauthorized"):
            await who(client)
        assert calls(tmp_path) <= 3

    told_in(story, paths)


def test_a_token_file_is_read_again(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(kubeconfig, "TOKEN_FILE_SECONDS", 0.2)
    (tmp_path / "token").write_text(TOKEN)
    paths = str(Config(tmp_path, cluster, {"tokenFile": "token"}).path)

    async def story(client):
        assert await who(client) == "admin"
        (tmp_path / "token").write_text(account_token_of[0])
        await asyncio.sleep(0.3)
        assert await who(client) == "system:serviceaccount:default:robot"

    account_token_of = [account_token(cluster)]
    told_in(story, paths)


def refused(paths):
    with pytest.raises(AccessUnknown) as caught:
        user_of(paths)
    return str(caught.value)


def test_a_plugin_that_gives_nothing_is_named_with_its_words(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(exec_plugin, "PLUGIN_SECONDS", 1)
    cases = {
        "failed with code 3: sign in first": plugin_of(tmp_path, {}, "echo sign in first >&2; exit 3", "fails"),
        "did not end within 1 s: run it by hand": plugin_of(tmp_path, {}, "sleep 60", "hangs"),
        "gave neither a token nor a certificate": plugin_of(tmp_path, {}, name="empty"),
        "printed no ExecCredential": plugin_of(tmp_path, {}, "echo hello; exit 0", "speaks"),
    }
    for said, user in cases.items():
        began = time.monotonic()
        assert said in (text := refused(str(Config(tmp_path, cluster, user).path)))
        assert user["exec"]["command"] in text
        assert time.monotonic() - began < 5


def test_a_plugin_that_is_not_there_is_told_with_what_its_kubeconfig_advises(cluster, tmp_path):
    user = {"exec": {"apiVersion": CREDENTIAL["apiVersion"], "command": "kubelogin-of-nobody"}}
    assert "kubelogin-of-nobody of user u can't be run" in refused(str(Config(tmp_path, cluster, user).path))
    user["exec"]["installHint"] = "get it from the portal"
    assert "get it from the portal" in refused(str(Config(tmp_path, cluster, user).path))
    user["exec"]["interactiveMode"] = "Always"
    assert "wants to speak with a person" in refused(str(Config(tmp_path, cluster, user).path))


def test_a_plugin_is_told_of_the_server_if_it_wants_to_be(cluster, tmp_path):
    user = plugin_of(tmp_path, {"token": TOKEN}, f'printf "%s" "$KUBERNETES_EXEC_INFO" > {tmp_path}/told')
    user["exec"]["provideClusterInfo"] = True
    assert user_of(str(Config(tmp_path, cluster, user).path)) == "admin"
    told = json.loads(Path(tmp_path / "told").read_text())
    assert told["spec"]["cluster"]["server"] == cluster.server
    assert not told["spec"]["interactive"]


def test_an_id_token_that_has_ended_is_told_with_the_cure(cluster, tmp_path):
    def part(content):
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    ended = ".".join([part({"alg": "none"}), part({"exp": 1, "name": "ÿ~~>?"}), ""])
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": ended}}}
    assert "its id-token has ended: kubectl renews it" in refused(str(Config(tmp_path, cluster, user).path))
