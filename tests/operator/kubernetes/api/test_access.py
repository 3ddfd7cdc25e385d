"""What is chosen to log in with, and what is told when it does not work."""

import threading

import pytest

from slipway_operator.errors import AccessUnknown
from slipway_operator.runtimes.kubernetes.api import access
from slipway_operator.runtimes.kubernetes.api.access import Access, from_kubeconfig, in_cluster
from slipway_operator.runtimes.kubernetes.api.login import Login, NotUsable
from support.cluster.authority import Authority, pem

CONFIG = """
current-context: a
contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}, {name: b, context: {cluster: c, user: w}}]
clusters: [{name: c, cluster: {server: 'https://k:6443/', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret}}, {name: w, user: {username: ada, password: lovelace}}]
"""


def test_a_kubeconfig_is_read(tmp_path):
    authority = pem(Authority().certificate)
    (tmp_path / "ca.crt").write_text(authority)
    (tmp_path / "config").write_text(CONFIG)
    login = from_kubeconfig(str(tmp_path / "config")).login()

    assert (login.server, login.authority, login.namespace) == ("https://k:6443", authority, "shop")
    assert login.headers() == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(login)

    other = from_kubeconfig(str(tmp_path / "config"), "b").login()
    assert other.headers() == {"Authorization": "Basic YWRhOmxvdmVsYWNl"}


UNUSABLE = {
    "": "it is empty",
    "a: [secret": "config is not YAML from line 1 on",
    "- a list": "has no clusters, users and contexts",
    "contexts: []\nclusters: []\nusers: []": "no current-context",
    "current-context: a\ncontexts: []\n": "there is no context a",
    CONFIG.replace("name: u, user", "name: v, user"): "there is no user u",
    CONFIG: "ca.crt",
    CONFIG.replace("token: secret", "auth-provider: {name: gcp}"): "use the exec plugin gke-gcloud-auth-plugin",
    CONFIG.replace(
        "token: secret", "auth-provider: {name: azure}"
    ): "auth-provider azure is not known, or not any more",
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
    assert "lovelace" not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_is_told():
    with pytest.raises(AccessUnknown, match="/nowhere is not a usable kubeconfig: there is no such file"):
        from_kubeconfig("/nowhere").login()


@pytest.fixture(name="account")
def _account(tmp_path):
    for name, text in {"ca.crt": pem(Authority().certificate), "token": "one\n", "namespace": "ops"}.items():
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


def waiting(shared, number):
    """What each of several threads was told, that ask at once."""
    told = []

    def ask():
        try:
            told.append(shared.login())
        except AccessUnknown as error:
            told.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_a_login_that_failed_is_shared_for_a_moment(monkeypatch):
    tries = []

    def log_in():
        tries.append(1)
        raise NotUsable("there is nothing")

    shared = Access(log_in, "the file")
    assert waiting(shared, 5) == ["the file: there is nothing"] * 5
    assert len(tries) == 1
    monkeypatch.setattr(access, "FAILURE_SECONDS", 0)
    assert waiting(shared, 1) == ["the file: there is nothing"]
    assert len(tries) == 2


BROKEN = {"token": " \n", "ca.crt": "cut"}


@pytest.mark.parametrize(("name", "content"), BROKEN.items())
def test_files_that_are_broken_for_a_moment_end_no_login(account, monkeypatch, name, content):
    """A kubelet replaces them, a person edits them."""
    chosen = in_cluster("k", 443, account)
    monkeypatch.setattr(access, "TOKEN_FILE_SECONDS", 0)
    monkeypatch.setattr(access, "FAILURE_SECONDS", 0)
    former, before = chosen.login(), (account / name).read_text()
    (account / name).write_text(content)
    assert chosen.login() is former
    with pytest.raises(AccessUnknown, match=r"is empty|authority is not valid"):
        chosen.login(former)  # the server does not take it any more
    (account / name).write_text(before)
    assert chosen.login(former).authorization == "Bearer one"
