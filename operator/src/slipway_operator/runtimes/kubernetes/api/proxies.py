"""Which proxy leads to an API server, as kubectl chooses it."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]


def proxy_for(server: str, configured: str | None = None) -> str | None:
    """The kubeconfig's ``proxy-url``, or else HTTPS_PROXY, unless the server is on this machine or NO_PROXY has it.

    Raises:
        ValueError: a proxy of a kind that the transport can't speak to
    """
    chosen = configured or _of_environment(server)
    if chosen and urlsplit(chosen).scheme not in {"http", "https"}:
        raise ValueError(f"its proxy {chosen} is not one of http:// or https://, which alone can be used")
    return chosen


def _of_environment(server: str) -> str | None:
    address, proxies = urlsplit(server), getproxies_environment()
    host = address.hostname or ""
    if host == "localhost" or proxy_bypass_environment(address.netloc, proxies) or _in_network(host, proxies):
        return None
    chosen = proxies.get(address.scheme)
    return chosen if not chosen or "://" in chosen else f"http://{chosen}"


def _in_network(host: str, proxies: dict[str, str]) -> bool:
    """The networks of NO_PROXY, which Go's programs know and Python's library does not."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(
        address in ip_network(entry.strip(), strict=False)
        for entry in proxies.get("no", "").split(",")
        if _is_network(entry.strip())
    )


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return False
    return "/" in entry
