"""Where processes listen, and how they get out of the cluster."""

import urllib.request

import pytest
import urllib3

from slipway_chassis.config import ProcessSettings, ProxySettings, load
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.outgoing import joined, pool_for, proxy_for
from slipway_chassis.telemetry.admin import serve_admin
from slipway_chassis.telemetry.health import Health

PROXIES = ProxySettings(
    http_proxy="http://proxy:3128",
    https_proxy="http://proxy:3129",
    no_proxy="localhost, .svc,*.corp.example,example.net,10.0.0.0/8,fd00::/8",
)


@pytest.mark.parametrize(
    "url",
    ["http://users/v1", "http://shop-users.shop.svc", "https://a.corp.example:8443", "https://example.net",
     "https://login.example.net", "http://10.96.0.1", "https://[fd00::1]/", "http://LOCALHOST:1",
     "http://127.0.0.1:18010/v1", "http://[::1]:8000", "http://shop.localhost"],
)  # fmt: skip
def test_what_is_near_is_reached_without_a_proxy(url):
    assert proxy_for(url, PROXIES) == ""


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://login.example.org/keys", "http://proxy:3129"),
        ("http://login.example.org/keys", "http://proxy:3128"),
        ("https://notexample.net", "http://proxy:3129"),
        ("https://11.0.0.1", "http://proxy:3129"),
        ("https://[2001:db8::1]", "http://proxy:3129"),
    ],
)
def test_what_is_outside_is_reached_by_the_proxy_of_its_scheme(url, proxy):
    assert proxy_for(url, PROXIES) == proxy


def test_all_may_be_near():
    assert proxy_for("https://a.example.org", ProxySettings(https_proxy="http://p:1", no_proxy="*")) == ""


def test_a_pool_asks_the_proxy_and_proves_who_asks(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s%40crt@proxy.example.org:3128")
    pool = pool_for("https://login.example.org", retries=False)

    assert isinstance(pool, urllib3.ProxyManager)
    assert (pool.proxy.host, pool.proxy.port) == ("proxy.example.org", 3128)
    assert pool.proxy_headers == urllib3.make_headers(proxy_basic_auth="me:s@crt")
    assert not isinstance(pool_for("http://users"), urllib3.ProxyManager)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://proxy", "a proxy"])
def test_a_proxy_that_is_not_spoken_disturbs_nobody_on_this_machine(monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert not isinstance(pool_for("http://127.0.0.1:18010"), urllib3.ProxyManager)
    with pytest.raises(ConfigurationError, match="HTTP_PROXY is wrong: must be a proxy of HTTP"):
        pool_for("http://login.example.org")


def test_a_proxy_is_named_without_its_scheme_too():
    assert load(ProxySettings, {"HTTP_PROXY": "proxy.corp:3128"}).http_proxy == "http://proxy.corp:3128"


def test_an_address_of_either_family_takes_a_port():
    assert [joined(host, 1) for host in ("0.0.0.0", "::", "fd00::1")] == ["0.0.0.0:1", "[::]:1", "[fd00::1]:1"]  # noqa: S104
    assert load(ProcessSettings, {"BIND_HOST": "[::]"}).bind_host == "::"


def test_all_addresses_are_those_of_both_families():
    port = serve_admin("::", 0, Health())
    for host in ("127.0.0.1", "[::1]"):
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=10) as answer:
            assert answer.status == 200
