"""Where the API server is, and who asks: kubeconfig, token, service account."""

from pathlib import Path

import pytest

from slipway_operator.errors import AccessUnknown
from slipway_operator.runtimes.kubernetes.api.access import from_kubeconfig, in_cluster


def test_a_kubeconfig_is_read(tmp_path):
    (tmp_path / "ca.crt").write_text("PEM")
    path = tmp_path / "config"
    path.write_text(
        "current-context: a\n"
        "contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://k:6443/', certificate-authority: ca.crt}}]\n"
        "users: [{name: u, user: {token: secret}}]\n"
    )
    access = from_kubeconfig(path)

    assert (access.server, access.authority, access.namespace) == ("https://k:6443", "PEM", "shop")
    assert access.headers() == {"Authorization": "Bearer secret"}


@pytest.mark.parametrize("text", ["", "a: [", "current-context: a\ncontexts: []\n"])
def test_a_kubeconfig_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(AccessUnknown, match="is no kubeconfig that can be used"):
        from_kubeconfig(path)


def test_a_renewed_token_is_used(tmp_path):
    for name, text in {"ca.crt": "PEM", "token": "one\n", "namespace": "ops"}.items():
        (tmp_path / name).write_text(text)
    access = in_cluster("fd00::1", 443, tmp_path)
    assert access.server == "https://[fd00::1]:443"
    assert access.current_token() == "one"

    (tmp_path / "token").write_text("two\n")
    assert access.current_token() == "one"
    access._read = (float("-inf"), "one")
    assert access.current_token() == "two"


def test_outside_of_a_cluster_the_cure_is_said():
    with pytest.raises(AccessUnknown, match="or KUBECONFIG outside of a cluster"):
        in_cluster("k", 443, Path("/nowhere"))
