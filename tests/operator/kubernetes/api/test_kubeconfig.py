"""Kubeconfigs that kubectl refuses, or that would be another login than kubectl's. No secret is told."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slipway_chassis.testing.plugin import eventually
from slipway_operator.errors import AccessUnknown
from slipway_operator.runtimes.kubernetes.api import access, exec_plugin, kubeconfig
from slipway_operator.runtimes.kubernetes.api.access import from_kubeconfig
from slipway_operator.runtimes.kubernetes.process import watches
from support.cluster.authority import Authority, pem

SECRET = "S3CR3T"  # noqa: S105


@pytest.fixture(scope="module", name="authority")
def _authority():
    return Authority()


def encoded(content):
    return base64.b64encode(content.encode()).decode()


def config(folder, user, cluster=None, **content):
    """The path of a kubeconfig with one user."""
    given = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://k:6443"} | (cluster or {})}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(given | content))
    return str(path)


def refused(paths):
    with pytest.raises(AccessUnknown) as caught:
        from_kubeconfig(paths).login()
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith(f"{paths} is not a usable kubeconfig: ")
    return str(caught.value)


def plugin(**settings):
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/true"} | settings}


OIDC = {"name": "oidc", "config": {"client-secret": SECRET, "refresh-token": SECRET}}
USERS = {
    "auth-provider oidc of u": ({"auth-provider": OIDC | {"name": ["oidc"]}}, "name of auth-provider of user u"),
    "an id-token that is none": ({"auth-provider": {"name": "oidc", "config": {"id-token": "abc"}}}, "Web Token"),
    "no id-token": ({"auth-provider": OIDC}, "id-token of user u is not a JSON Web Token"),
    "settings of a wrong kind": ({"auth-provider": {"name": "oidc", "config": [SECRET]}}, "config of auth-provider"),
    "a plugin without command": ({"exec": {"env": [{"name": "A", "value": SECRET}]}}, "exec of user u has no command"),
    "a value that is a number": (plugin(env=[{"name": SECRET, "value": 1}]), "value of env of exec of user u"),
    "a value without a name": (plugin(env=[{"value": SECRET}]), "an entry of env of exec of user u has no name"),
    "a map of values": (plugin(env={"A": SECRET}), "env of exec of user u is not a list"),
    "an argument that is a number": (plugin(args=[SECRET, 1]), "args of exec of user u is not a list of texts"),
    "a section of a wrong kind": ([SECRET], "is not a mapping"),
    "a token that is a number": ({"token": 12345}, "token of user u is not text"),
    "a token of two lines": ({"token": f"{SECRET}\nX-Other: 1"}, "no header can have"),
    "no credential": ({}, "user u has no token, certificate, password or plugin"),
    "a name without a password": ({"username": SECRET}, "a username alone"),
    "two ways": ({"token": SECRET, "username": "a", "password": SECRET}, "a token and a password"),
    "a plugin and a provider": (plugin() | {"auth-provider": OIDC}, "auth-provider and an exec plugin"),
    "no key": ({"client-certificate-data": encoded("x")}, "client-certificate without its client-key"),
    "no base64": ({"client-certificate-data": SECRET, "client-key-data": "??"}, "of user u is not base64"),
    "groups without a name": ({"token": "t", "as-groups": ["a"]}, "without as"),
    "a group of two lines": ({"token": "t", "as": "a", "as-groups": [f"a\n{SECRET}"]}, "no header can have"),
}


@pytest.mark.parametrize(("user", "why"), USERS.values(), ids=USERS.keys())
def test_a_user_that_is_not_valid_is_told_by_its_name(tmp_path, user, why):
    assert why in refused(config(tmp_path, user))


AUTHORITY = {"certificate-authority-data": encoded("PEM")}
CLUSTERS = {
    "a word instead of yes or no": ({"insecure-skip-tls-verify": "false"}, "of cluster c is neither true nor false"),
    "insecure with an authority": ({"insecure-skip-tls-verify": True} | AUTHORITY, "has an authority, and insecure"),
    "an authority that is none": (AUTHORITY, "certificate of its authority is not valid"),
    "no server": ({"server": None}, "server of cluster c is not an address"),
    "a password in the address": ({"server": f"https://a:{SECRET}@k"}, "server of cluster c is not an address"),
    "a proxy of another kind": ({"proxy-url": f"socks5://a:{SECRET}@p:1"}, "its proxy socks5://p:1 is not one"),
    "a proxy that is no address": ({"proxy-url": f"http://a:{SECRET}@p:port"}, "its proxy http://p:port is not one"),
}


@pytest.mark.parametrize(("cluster", "why"), CLUSTERS.values(), ids=CLUSTERS.keys())
def test_a_cluster_that_is_not_valid_is_told_by_its_name(tmp_path, cluster, why):
    assert why in refused(config(tmp_path, {"token": SECRET}, cluster))


def test_entries_are_told_by_place_and_name(tmp_path):
    assert "number 1 of users in" in refused(config(tmp_path, {}, users=[{"user": {"token": SECRET}}]))
    assert "users of" in refused(config(tmp_path, {}, users={"token": SECRET}))
    assert "names no user" in refused(config(tmp_path, {}, contexts=[{"name": "here", "context": {"cluster": "c"}}]))
    (tmp_path / "config").write_text(f"users:\n- token: {SECRET}\n  : [\n")
    assert "is not YAML from line" in refused(str(tmp_path / "config"))


def test_a_file_of_comments_is_one_without_entries(tmp_path):
    (tmp_path / "comments").write_text("# nothing yet\n---\n")
    login = from_kubeconfig(f"{tmp_path}/comments:{config(tmp_path, {'token': 'a'})}").login()
    assert login.authorization == "Bearer a"
    assert "it is empty" in refused(str(tmp_path / "comments"))


def test_a_certificate_that_does_not_fit_is_told(tmp_path, authority):
    (certificate, _), (_, other) = authority.client("ada"), authority.client("grace")
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(other)}
    assert "client certificate and key are not valid" in refused(config(tmp_path, user))
    user["client-certificate-data"] = encoded("-----BEGIN CERTIFICATE-----\ncut")
    assert "client certificate and key are not valid" in refused(config(tmp_path, user))


def test_an_encrypted_key_asks_nobody(tmp_path, authority):
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    )
    user = {
        "client-certificate-data": encoded(authority.client("ada")[0]), "client-key-data": encoded(key.decode()),
    }  # fmt: skip
    assert "or are encrypted" in refused(config(tmp_path, user))


def test_a_file_that_loses_its_certificate_or_token_ends_no_login(tmp_path, monkeypatch):
    monkeypatch.setattr(kubeconfig, "TOKEN_FILE_SECONDS", 0)
    monkeypatch.setattr(access, "FAILURE_SECONDS", 0)
    (tmp_path / "token").write_text("one\n")
    chosen = from_kubeconfig(config(tmp_path, {"tokenFile": "token"}))
    former = chosen.login()
    (tmp_path / "token").write_text("")
    assert chosen.login() is former
    config(tmp_path, {})
    assert chosen.login() is former
    with pytest.raises(AccessUnknown, match="has no token"):
        chosen.login(former)


def test_a_token_beside_a_plugin_is_used_as_by_kubectl(tmp_path):
    user = plugin(command="/nowhere/plugin") | {"token": "beside"}
    assert from_kubeconfig(config(tmp_path, user)).login().authorization == "Bearer beside"


def test_another_name_is_asked_for_by_requests_and_watches(tmp_path):
    user = {
        "token": "t", "as": "ada", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"x/y": ["1", "2"]},
    }  # fmt: skip
    login = from_kubeconfig(config(tmp_path, user)).login()
    assert login.impersonation == (
        ("Impersonate-User", "ada"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-x%2Fy", "1"),
        ("Impersonate-Extra-x%2Fy", "2"),
    )
    assert asyncio.run(headers_of(watches._connection_of(login))) == [
        ("Authorization", "Bearer t"),
        *login.impersonation,
    ]


async def headers_of(connection):
    """As kopf makes its session."""
    async with aiohttp.ClientSession(headers=connection.as_http_headers()) as session:
        return list(session.headers.items())


def test_no_secret_is_in_what_is_shown_of_a_login(tmp_path):
    login = from_kubeconfig(config(tmp_path, {"token": SECRET}, {"proxy-url": f"http://a:{SECRET}@p:1"})).login()
    assert login.proxy == f"http://a:{SECRET}@p:1"
    assert SECRET not in repr(login)
    assert SECRET not in repr(watches._connection_of(login))


TELLS = "printf %s \"$KUBERNETES_EXEC_INFO\" > $0.told; echo '{}'"


def test_a_plugin_is_told_all_of_the_server(tmp_path, authority):
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\n{TELLS}\n")
    script.chmod(0o755)
    cluster = {
        "certificate-authority-data": encoded(pem(authority.certificate)),
        "tls-server-name": "name",
        "proxy-url": "http://p:1",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}],
    }
    refused_by_it(config(tmp_path, plugin(command=str(script), provideClusterInfo=True), cluster))
    told = json.loads((tmp_path / "plugin.told").read_text())["spec"]["cluster"]
    extensions = cluster.pop("extensions")
    assert told == cluster | {"server": "https://k:6443", "config": extensions[0]["extension"]}


def refused_by_it(paths):
    with pytest.raises(AccessUnknown, match=r"^the exec plugin \S+ of user u ") as caught:
        from_kubeconfig(paths).login()
    return str(caught.value)


def scripted(text):
    return plugin(command="/bin/sh", args=["-c", text])


def test_a_plugin_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(exec_plugin, "PLUGIN_SECONDS", 1)
    hangs = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    assert "did not end within 1 s" in refused_by_it(config(tmp_path, scripted(hangs)))
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    eventually(lambda: not child.exists() or ") Z " in child.read_text(), within=5)


def test_the_words_of_a_plugin_are_one_line_with_an_end(tmp_path):
    says = r"printf 'sign\033[31m in\033[0m\a\nfirst\033]0;title\007' >&2; exit 3"
    assert refused_by_it(config(tmp_path, scripted(says))).endswith("failed with code 3: sign in first")
    says = "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 3"
    assert len(refused_by_it(config(tmp_path, scripted(says)))) < 400


STATUSES = {
    "[]": "printed no ExecCredential",
    '{"status": null}': "printed no ExecCredential",
    '{"apiVersion": "v", "status": {"token": 1}}': "gave something else than texts",
    '{"apiVersion": "other", "status": {}}': "speaks other, its kubeconfig v",
    '{"apiVersion": "v", "status": {"token": "a", "expirationTimestamp": "soon"}}': "that is no time",
}


@pytest.mark.parametrize(("printed", "why"), STATUSES.items())
def test_what_a_plugin_prints_may_be_anything(tmp_path, printed, why):
    assert why in refused_by_it(config(tmp_path, plugin(apiVersion="v", command="/bin/echo", args=[printed])))


def test_a_user_without_a_home_may_import_the_client():
    script = (
        "import os, pwd\n"
        "os.environ.pop('HOME', None)\n"
        "def none(_): raise KeyError\n"
        "pwd.getpwuid = none\n"
        "import slipway_operator.runtimes.kubernetes.api.access\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
