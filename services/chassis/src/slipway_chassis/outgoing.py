"""Where processes listen, and how they get out: addresses of either family, proxies, and certificates."""

import ipaddress
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from .certificates import Renewed, TlsSettings, calling
from .config import ProxySettings, load


def joined(host: str, port: int) -> str:
    """``host:port``, an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxy_for(url: str, settings: ProxySettings) -> str:
    """The proxy's URL; empty where ``url`` is reached without one."""
    proxy = settings.https_proxy if urlsplit(url).scheme == "https" else settings.http_proxy
    host = _host(url)
    if not proxy or _is_near(host) or any(_covers(entry, host) for entry in settings.no_proxy.lower().split(",")):
        return ""
    return proxy


def pool_for(url: str, **options: Any) -> urllib3.PoolManager:
    """Connections to ``url``'s host, through the proxy that the environment names for it; ``options`` of urllib3.
    Over https, who answers is checked by the system's authorities and TLS_CA_FILE, and is shown TLS_CERTIFICATE_FILE.
    Raises ConfigurationError for files that hold no certificate, and where that is no proxy of HTTP: for what is
    outside alone, since most machines of people have such variables.
    """
    proxy = "" if _is_near(_host(url)) else proxy_for(url, load(ProxySettings))
    certificates = calling(load(TlsSettings)) if urlsplit(url).scheme == "https" else None
    if not proxy:
        return _Pool(certificates, **options) if certificates else urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = urllib3.make_headers(proxy_basic_auth=login) if parts.username else None
    if certificates:
        return _PoolByProxy(certificates, proxy, proxy_headers=headers, **options)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


class _Renewing(urllib3.PoolManager):
    """A connection is opened with the certificates of then: a pool's key holds them, so others are another pool."""

    def __init__(self, certificates: Renewed[ssl.SSLContext], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._certificates = certificates

    def connection_from_host(self, *args: Any, **more: Any) -> urllib3.connectionpool.HTTPConnectionPool:
        self.connection_pool_kw["ssl_context"] = self._certificates.current()
        return super().connection_from_host(*args, **more)


class _Pool(_Renewing):
    pass


class _PoolByProxy(_Renewing, urllib3.ProxyManager):
    pass


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def _is_near(host: str) -> bool:
    """This machine, or a name of the cluster's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(".localhost")


def _covers(entry: str, host: str) -> bool:
    entry = entry.strip()
    if not entry:
        return False
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # one of them is a name
        domain = entry.lstrip("*").lstrip(".")
        return host == domain or host.endswith(f".{domain}")
