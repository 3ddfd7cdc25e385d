"""Which proxy leads to an API server, as kubectl chooses it: by Go's ``httpproxy``, whose rules are followed here."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from .config import variable
from .login import NotUsable

_PORTS = {"http": 80, "https": 443}


def proxy_for(server: str, configured: str | None = None) -> str | None:
    """The kubeconfig's ``proxy-url``, or else HTTPS_PROXY, unless the server is on this machine or NO_PROXY has it.

    Raises:
        NotUsable: a proxy of a kind that the transport can't speak to
    """
    chosen = configured or _of_environment(urlsplit(server))
    if not chosen:
        return None
    try:
        address = urlsplit(chosen)
        known = address.scheme in _PORTS and address.hostname and (address.port or True)
    except ValueError:
        known = False
    if not known:
        shown = without_passwords(chosen)
        raise NotUsable(f"its proxy {shown} is not one of http:// or https://, which alone can be used")
    return chosen


def without_passwords(text: str) -> str:
    """Addresses in it, without the name and the password of a user."""
    return re.sub(r"//[^/\s]*@", "//", text)


def _of_environment(server: SplitResult) -> str | None:
    chosen = variable(f"{server.scheme}_proxy")
    host, port = (server.hostname or "").lower(), server.port or _PORTS.get(server.scheme, 0)
    if not chosen or _is_direct(host, str(port)):
        return None
    return chosen if "://" in chosen else f"http://{chosen}"


def _is_direct(host: str, port: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    entries = [entry.strip().lower() for entry in variable("no_proxy").split(",")]
    return any(_matches(entry, host, port, address) for entry in entries if entry)


def _matches(entry: str, host: str, port: str, address: IPv4Address | IPv6Address | None) -> bool:
    if entry == "*":
        return True
    if (network := _network(entry)) is not None:
        return address is not None and address in network
    wanted, wanted_port = _split(entry)
    if wanted_port not in {"", port} or not wanted:
        return False
    if (exact := _address(wanted)) is not None:
        return exact == address
    domain = wanted.removeprefix("*") if wanted.startswith("*.") else wanted
    return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port. An IPv6 address has brackets where it has a port, and there alone."""
    if _address(entry) is not None:
        return entry, ""
    host, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        return entry, ""
    return host.removeprefix("[").removesuffix("]"), port


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    if not entry.rpartition("/")[2].isdecimal() or "/" not in entry:
        return None
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
