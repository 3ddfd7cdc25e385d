"""Requests to a registry of artifacts (OCI distribution specification 1.1), bounded in size and time, by TLS.

A registry may send a client on to where its files lie, which is never told who we are, and to a service of tokens,
which is. Both must be asked by TLS.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from .bounded_read import read_within
from .config import RegistryLogin
from .errors import RegistryError
from .oci_reference import is_loopback
from .watched import Watch, pool_of

SECONDS = 60.0  # for one artifact
ANSWER_SECONDS = 10.0
MAX_TOKEN_BYTES = 64 * 1024
MAX_REDIRECTS = 3
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_REDIRECTS = {301, 302, 303, 307, 308}
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answered:
    """``url``: who answered at last."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass
class RegistryClient:
    """Of one registry, whose ``host`` alone is told who we are: ``with RegistryClient(host, login) as client``."""

    host: str
    login: RegistryLogin
    seconds: float = SECONDS
    _said: str = field(default="", init=False)  # the Authorization that the registry took

    def __post_init__(self) -> None:
        self._watch = Watch(self.seconds)
        self._pool = pool_of(self._watch, seconds=min(ANSWER_SECONDS, self.seconds), retries=False)

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()
        self._watch.__exit__()

    def ask(
        self, method: str, url: str, *, most: int, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answered:
        """At most ``most`` bytes and one more are read. Raises RegistryError for what does not answer, sends us round,
        or does not know us.
        """
        said = {"Authorization": self._said} if self._said and _host(url) == self.host else {}
        answer = self._followed(method, url, {**(headers or {}), **said}, body, most)
        if answer.status == _UNAUTHORIZED and _host(answer.url) == _host(url) == self.host:
            self._said = self._authorization(url, answer.headers.get("www-authenticate", ""))
            again = {**(headers or {}), "Authorization": self._said}
            answer = self._followed(method, url, again, body, most)
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN):
            who = "REGISTRY_USER and REGISTRY_PASSWORD, or REGISTRY_TOKEN"
            raise RegistryError(f"{_host(url)} refuses {method} of {_path(url)} ({answer.status}): set {who}")
        return answer

    def _followed(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int) -> Answered:
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._once(method, url, headers, body, most)
            if answer.status not in _REDIRECTS or method not in ("GET", "HEAD"):
                return answer
            target = joined(url, answer.headers.get("location", ""))
            require_tls(target, f"{_host(url)} sends us to")
            if _host(target) != self.host:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise RegistryError(f"{_host(url)} sends us on more than {MAX_REDIRECTS} times")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int) -> Answered:
        late = f"{_host(url)} has not answered everything within {self.seconds:g} s"
        if self._watch.left <= 0:
            raise RegistryError(late)
        try:
            answer = self._pool.request(
                method, url, headers=dict(headers), body=body, preload_content=False, redirect=False,
                timeout=min(ANSWER_SECONDS, self._watch.left), decode_content=False,
            )  # fmt: skip
            content = read_within(answer, most=most + 1, seconds=self._watch.left)
        except (HTTPError, TimeoutError) as error:
            if self._watch.left <= 0:
                raise RegistryError(late) from None
            raise RegistryError(f"{_host(url)} does not answer {method} of {_path(url)}: {_reason(error)}") from None
        answer.release_conn() if len(content) <= most else answer.close()
        return Answered(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content, url)

    # --- who we are
    def _authorization(self, url: str, challenge: str) -> str:
        """What a registry asks for: a password, or a token of the service that it names (RFC 6750)."""
        scheme = challenge.partition(" ")[0].lower()
        login = self.login if self.login.host in ("", self.host) else RegistryLogin()
        if login.token:
            return f"Bearer {login.token}"
        if scheme == "bearer":
            return f"Bearer {self._token(url, dict(_PARAMETER.findall(challenge)), login)}"
        if scheme == "basic" and login.user:
            return _basic(login)
        how = "a login" if scheme == "basic" else f"a login of a kind that this command does not have ({scheme[:20]})"
        raise RegistryError(f"{_host(url)} asks for {how}: set REGISTRY_USER and REGISTRY_PASSWORD, or REGISTRY_TOKEN")

    def _token(self, url: str, asked: Mapping[str, str], login: RegistryLogin) -> str:
        realm = asked.get("realm", "")
        require_tls(realm, f"{_host(url)} has its tokens from")
        query = urlencode({name: asked[name] for name in ("service", "scope") if name in asked})
        target = f"{realm}{'&' if '?' in realm else '?'}{query}"
        headers = {"Authorization": _basic(login)} if login.user else {}
        answer = self._once("GET", target, headers, None, MAX_TOKEN_BYTES)
        try:
            given = json.loads(answer.body) if answer.status == _OK else {}
            token = given.get("token") or given.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(f"{_host(realm)} gave no token for {_host(url)} ({answer.status}): check REGISTRY_USER")
        return token


def joined(url: str, location: str) -> str:
    """Where an answer sends us; what is no address is passed on, for ``require_tls`` to refuse."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def require_tls(url: str, who: str) -> None:
    """Raises RegistryError for what would be sent in the clear, except on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RegistryError(f"{who} {url[:100]!r}, which is no address") from None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise RegistryError(f"{who} {url[:100]!r}, which is no address")
    if parts.scheme != "https" and not is_loopback(parts.netloc):
        raise RegistryError(f"{who} {url[:100]}, which is not asked without TLS")


def _basic(login: RegistryLogin) -> str:
    return urllib3.make_headers(basic_auth=f"{login.user}:{login.password}")["authorization"]


def _reason(error: Exception) -> str:
    """Without the objects that urllib3 names.

    >>> _reason(ValueError("<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to connect"))
    'Failed to connect'
    """
    return re.sub(r"^<[^>]*>: |\w+\(host=[^)]*\): ", "", str(error))[:200]


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _path(url: str) -> str:
    return urlsplit(url).path
