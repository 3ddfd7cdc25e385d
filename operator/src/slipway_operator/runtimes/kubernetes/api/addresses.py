"""Which addresses of specs are asked: Services of the spec's own namespace, and what the operator's settings allow.

Specs are written by tenants, and the operator may reach what they may not. So an address is checked by its name, and
once more by what the name resolves to: names are given out by others, and can lead anywhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
# 127.1 and 0x7f000001 are addresses to resolvers.
_NUMBERS = re.compile(r"(0[xX][0-9A-Fa-f]+|[0-9]+)(\.(0[xX][0-9A-Fa-f]+|[0-9]+))*\.?")
_LONGEST_HOST = 253
_LONGEST_SHOWN = 120
_PORTS = {"http": 80, "https": 443}
_CURE = "name a Service of the same namespace, or have it allowed in the operator's ALLOWED_ADDRESSES"


@dataclass(frozen=True, slots=True)
class _Allowed:
    """One entry: ``host``, ``*.namespace`` or a network, each with a port or without."""

    host: str  # empty: a network
    network: IPv4Network | IPv6Network | None
    port: int | None

    def has_name(self, host: str, port: int) -> bool:
        if self.port not in {None, port} or not self.host:
            return False
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host

    def has_address(self, address: str, port: int) -> bool:
        if self.network is None or self.port not in {None, port}:
            return False
        found = _parsed(address)
        return found is not None and found in self.network


class Addresses:
    """What may be asked. ``namespace``: the operator's own, where names of one word lead to."""

    def __init__(self, allowed: Sequence[str] = (), *, namespace: str = "") -> None:
        """Raises ValueError for an entry that is none."""
        self._allowed = [_entry(each) for each in allowed]
        self._namespace = namespace

    def url_refusal(self, url: str, namespace: str) -> str:
        """Why the address of a spec in that namespace is not asked, as a sentence; empty: it may be."""
        shown = repr(url if len(url) <= _LONGEST_SHOWN else f"{url[:_LONGEST_SHOWN]}...")
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            return f"{shown} is no address: write it as http://host:port"
        plain = url.isprintable() and not set(url) & set(" ?#\\") and "@" not in parts.netloc
        if parts.scheme not in _PORTS or not parts.hostname or not plain:
            return f"{shown} is no plain address: write it as http://host:port/path, without user, query and fragment"
        return self.refusal(parts.hostname, port, namespace)

    def brokers_refusal(self, brokers: str, namespace: str) -> str:
        """The same for ``host:port,host:port``."""
        for each in brokers.split(","):
            host, _, port = each.rpartition(":")
            said = self.refusal(host, int(port) if port.isdecimal() else 0, namespace)
            if said:
                return said
        return ""

    def refusal(self, host: str, port: int, namespace: str) -> str:
        shown = f"{host[:_LONGEST_SHOWN]!r}"
        if _is_address(host):
            if any(each.has_address(host, port) for each in self._allowed):
                return ""
            return f"{shown} is an address and no name: {_CURE}"
        if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
            return f"{shown} is no name of a host: {_CURE}"
        if self._is_listed(host, port) or self._namespace_of(host) == namespace:
            return ""
        return f"{shown} is not of namespace {namespace}: {_CURE}"

    def leads_astray(self, host: str, port: int, canonical: str, address: str) -> bool:
        """Whether a name that was not refused resolves to what would have been. ``canonical``: its name in the end."""
        if any(each.has_address(address, port) for each in self._allowed):
            return False
        found = _parsed(address)
        if found is None or found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast:
            return True
        if _is_address(host) or self._is_listed(host, port) or not canonical:
            return False
        # A Service can be an alias (ExternalName) of any other name.
        return _namespace_in(canonical) not in {"", self._namespace_of(host)} or ".svc" not in canonical

    def _is_listed(self, host: str, port: int) -> bool:
        name = _short(host)
        return any(each.has_name(name, port) for each in self._allowed)

    def _namespace_of(self, host: str) -> str:
        return _namespace_in(host) or self._namespace


def same_brokers(asked: str, known: str) -> bool:
    """Whether each of ``host:port,host:port`` is among the ``known`` ones, in whatever spelling of a Service."""
    return _spelled(asked) <= _spelled(known)


def _spelled(brokers: str) -> set[tuple[str, str]]:
    return {(_short(host), port) for host, _, port in (each.rpartition(":") for each in brokers.split(","))}


def _entry(text: str) -> _Allowed:
    host, given, port = text.strip().rpartition(":")
    if not given or not port.isdecimal():
        host, port = text.strip(), ""
    number = int(port) if port else None
    try:
        return _Allowed("", ip_network(host.strip("[]"), strict=False), number)
    except ValueError:
        if not _HOST.fullmatch(host.removeprefix("*.")):
            raise ValueError(
                f"{text!r} is no address: write host, *.namespace or a network, with :port or without"
            ) from None
        return _Allowed(_short(host), None, number)


def _short(host: str) -> str:
    """One spelling for name.namespace, name.namespace.svc and name.namespace.svc.cluster.local."""
    labels = host.lower().rstrip(".").split(".")
    return ".".join(labels[: labels.index("svc", 2)] if "svc" in labels[2:] else labels)


def _namespace_in(host: str) -> str:
    """Empty: a name of one word, which is of the namespace of whoever asks."""
    _, _, namespace = _short(host).rpartition(".")
    return namespace if "." in _short(host) else ""


def _is_address(host: str) -> bool:
    return _parsed(host) is not None or _NUMBERS.fullmatch(host) is not None


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found
