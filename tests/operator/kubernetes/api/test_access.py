"""What is chosen to log in with, and what is told when it does not work."""

import pytest

from slipway_operator.errors import AccessUnknown
from slipway_operator.runtimes.kubernetes.api import access
from slipway_operator.runtimes.kubernetes.api.access import Access, from_kubeconfig, in_cluster
from slipway_operator.runtimes.kubernetes.api.login import Login
from slipway_operator.runtimes.kubernetes.api.proxies import proxy_for

CONFIG = """
current-context: a
contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}, {name: b, context: {cluster: c, user: w}}]
clusters: [{name: c, cluster: {server: 'https://k:6443/', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret}}, {name: w, user: {username: ada, password: lovelace}}]
"""


def test_a_kubeconfig_is_read(tmp_path):
    (tmp_path / "ca.crt").write_text("PEM")
    (tmp_path / "config").write_text(CONFIG)
    login = from_kubeconfig(str(tmp_path / "config")).login()

    assert (login.server, login.authority, login.namespace) == ("https://k:6443", "PEM", "shop")
    assert login.headers() == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(login)

    other = from_kubeconfig(str(tmp_path / "config"), "b").login()
    assert other.headers() == {"Authorization": "Basic YWRhOmxvdmVsYWNl"}


UNUSABLE = {
    "": "it is empty",
    "a: [": "while parsing",
    "- a list": "",
    "contexts: []\nclusters: []\nusers: []": "no current-context",
    "current-context: a\ncontexts: []\n": "Expected object with name a",
    CONFIG.replace("name: u, user", "name: v, user"): "there is no user u",
    CONFIG: "ca.crt",
    CONFIG.replace("token: secret", "auth-provider: {name: gcp}"): "use the exec plugin gke-gcloud-auth-plugin",
    CONFIG.replace("token: secret", "auth-provider: {name: azure}"): "auth-provider azure is not known",
    CONFIG.replace("certificate-authority: ca.crt", "proxy-url: 'socks5://p:1'"): "socks5://p:1 is not one of http",
}


@pytest.mark.parametrize(("text", "why"), UNUSABLE.items(), ids=UNUSABLE.values())
def test_a_kubeconfig_that_is_not_usable_is_named(tmp_path, text, why):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(AccessUnknown) as caught:
        from_kubeconfig(str(path)).login()
    assert str(caught.value).startswith(f"{path} is not a usable kubeconfig: ")
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_is_told():
    with pytest.raises(AccessUnknown, match="/nowhere is not a usable kubeconfig: there is no such file"):
        from_kubeconfig("/nowhere").login()


@pytest.fixture(name="account")
def _account(tmp_path):
    for name, text in {"ca.crt": "PEM", "token": "one\n", "namespace": "ops"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_renewed_token_of_a_pod_is_used(account, monkeypatch):
    chosen = in_cluster("fd00::1", 443, account)
    login = chosen.login()
    assert (login.server, login.namespace) == ("https://[fd00::1]:443", "ops")
    assert login.authorization == "Bearer one"

    (account / "token").write_text("two\n")
    assert chosen.login() is login
    monkeypatch.setattr(access, "TOKEN_FILE_SECONDS", 0)
    assert chosen.login(login).authorization == "Bearer two"
    assert chosen.current() is None


def test_outside_of_a_cluster_the_cure_is_said(tmp_path):
    with pytest.raises(AccessUnknown, match="or KUBECONFIG outside of a cluster"):
        in_cluster("k", 443, tmp_path / "nowhere").login()


def test_of_many_that_were_refused_one_logs_in():
    made = []

    def log_in():
        made.append(Login("https://k"))
        return made[-1]

    shared = Access(log_in)
    first = shared.login()
    assert shared.login(first) is shared.login(first)
    assert len(made) == 2


PROXIED = {
    "https://api.example:6443": "http://proxy:3128",
    "https://10.1.2.3:6443": None,
    "https://11.1.2.3:6443": "http://proxy:3128",
    "https://k.internal.example": None,
    "https://127.0.0.1:6443": None,
    "https://[::1]:6443": None,
    "https://[fd00::7]:6443": None,
    "https://localhost": None,
}


@pytest.mark.parametrize(("server", "proxy"), PROXIED.items())
def test_the_proxy_of_the_environment_is_that_of_kubectl(server, proxy, monkeypatch):
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.0/8,.internal.example, fd00::/16,not/a/network")
    assert proxy_for(server) == proxy
    assert proxy_for(server, "http://other:1") == "http://other:1"
