"""The proxy that kubectl would take: the rules of Go's httpproxy."""

import asyncio
import traceback

import pytest

from slipway_operator.errors import Unreachable
from slipway_operator.runtimes.kubernetes.api.access import Access
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import SERVICE
from slipway_operator.runtimes.kubernetes.api.login import Login
from slipway_operator.runtimes.kubernetes.api.proxies import proxy_for

NO_PROXY = "10.0.0.0/8,.internal.example, fd00::/16,not/a/network,*.wild.example,plain.example:6443,fe00::1,[fe00::2]:1"
PROXIED = {
    "https://api.example:6443": "http://proxy:3128",
    "https://10.1.2.3:6443": None,
    "https://11.1.2.3:6443": "http://proxy:3128",
    "https://k.internal.example": None,
    "https://internal.example": "http://proxy:3128",
    "https://127.0.0.1:6443": None,
    "https://[::1]:6443": None,
    "https://[fd00::7]:6443": None,
    "https://localhost": None,
    "https://a.WILD.example": None,
    "https://wild.example": "http://proxy:3128",
    "https://plain.example:6443": None,
    "https://a.plain.example:6443": None,
    "https://plain.example": "http://proxy:3128",
    "https://notplain.example:6443": "http://proxy:3128",
    "https://[fe00::1]:6443": None,
    "https://[fe00::2]:6443": "http://proxy:3128",
    "https://[fe00::2]:1": None,
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(("server", "proxy"), PROXIED.items())
def test_the_proxy_of_the_environment_is_that_of_kubectl(server, proxy, monkeypatch):
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", NO_PROXY)
    assert proxy_for(server) == proxy
    assert proxy_for(server, "http://other:1") == "http://other:1"


def test_one_star_of_several_entries_is_all(monkeypatch):
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("no_proxy", "foo,*")
    assert proxy_for("https://api.example") is None


def test_names_in_capitals_come_first(monkeypatch):
    for name, proxy in {"https_proxy": "small:1", "HTTPS_PROXY": "large:1", "no_proxy": "*", "NO_PROXY": "a"}.items():
        monkeypatch.setenv(name, proxy)
    assert proxy_for("https://api.example") == "http://large:1"


async def _refuse(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    writer.close()


def test_what_a_proxy_says_is_told_without_its_password():
    async def ask():
        server = await asyncio.start_server(_refuse, "127.0.0.1", 0)
        proxy = f"http://ada:S3CR3T@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        access = Access(lambda: Login("https://api.invalid", proxy=proxy))
        async with server, Client(access, NoFence(), pause=lambda _: asyncio.sleep(0)) as client:
            await client.list(SERVICE, "shop")

    with pytest.raises(Unreachable, match="407") as caught:
        asyncio.run(ask())
    assert "S3CR3T" not in "".join(traceback.format_exception(caught.value))
