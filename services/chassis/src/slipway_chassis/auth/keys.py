"""The issuer's signing keys (JWKS): fetched in the background, kept when the issuer is away.

- A thread fetches the set again when its ``Cache-Control: max-age`` is over; requests never wait for it.
- While the issuer does not answer, the last set stays in use (stale while error).
- A key id that is not in the set fetches once more, for rotations that came earlier than told. At most
  two such fetches a minute: a flood of made-up key ids is not passed on to the issuer.

Keys other than P-256, Ed25519 and RSA of 2048 to 8192 bits are passed over: a symmetric key in a published
set would let its readers sign, a short one would let anybody, and one without bounds costs what its issuer likes.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import NOT_FOUND, OK
from typing import Any

import urllib3
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from prometheus_client import Counter, Gauge

from ..bounded_read import read_within
from ..errors import ConfigurationError, KeysUnavailable
from ..outgoing import pool_for

log = logging.getLogger(__name__)

FETCHES = Counter("jwks_fetches_total", "Fetches of the issuer's signing keys", ["reason", "outcome"])
KEYS_AGE = Gauge(
    "jwks_fetched_timestamp_seconds",
    "Time of the last successful fetch of the issuer's keys, in seconds since the epoch",
)

# What issuers sign with, the asymmetric ones alone. EdDSA and Ed25519 are two names of one algorithm (RFC 9864).
ALGORITHMS = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]
RSA_BITS = range(2048, 8193)
RSA_CHARACTERS = range(342, 1367)  # of base64, for so many bits
FETCH_SECONDS = 2.0  # every thread with an unknown key waits this long at most
MAX_KEY_SET_BYTES = 256 * 1024
MAX_AGE_RANGE = (5.0, 300.0)
MAX_AGE_DEFAULT = 300.0
UNKNOWN_PER_MINUTE = 2
FAILURE_SHARED_SECONDS = 1.0
_MAX_AGE = re.compile(r"max-age=(\d{1,6})")

PublicKey = ECKey | OKPKey | RSAKey
Fetch = Callable[[], tuple[bytes, float | None]]
"""Returns the set as JSON and its max-age in seconds; KeysUnavailable when there is no answer."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys by their id; ``refresh_at``: when to fetch them again, by the clock of ``Keys``, in seconds."""

    keys: Mapping[str, PublicKey]
    refresh_at: float


class Keys:
    """Thread-safe. ``start`` begins the background refresh; without it, sets are fetched when needed."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._set: KeySet | None = None
        self._fetching = threading.Lock()
        self._failed_at = -FAILURE_SHARED_SECONDS + clock()
        self._unknown_fetches: list[float] = []
        self._stopped = threading.Event()

    def start(self) -> None:
        """Fetches the set now and again before it grows too old, in a daemon thread. Call it after a fork."""
        threading.Thread(target=self._refresh, name="jwks", daemon=True).start()

    def close(self) -> None:
        """Ends the thread, after the fetch under way. Keys that were fetched stay usable."""
        self._stopped.set()

    def known(self, kid: str) -> bool:
        """Whether the key is in the set in use; a key that was taken out is not trusted any longer."""
        return self._set is not None and kid in self._set.keys

    def find(self, kid: str) -> PublicKey | None:
        """The key, or None when the issuer does not publish it; KeysUnavailable before the first set came."""
        current = self._set
        if current is None or kid not in current.keys:
            with self._fetching:
                # Another thread may have fetched while this one waited.
                current = self._first_set() if self._set is None else self._set
                if kid not in current.keys and self._may_ask_for_unknown():
                    self._try_fetch("unknown_key")
                    current = self._set or current
        return current.keys.get(kid)

    def usable(self) -> None:
        """The readiness check: raises KeysUnavailable while no set was ever fetched."""
        if self._set is None:
            with self._fetching:
                self._first_set()

    def _first_set(self) -> KeySet:
        # Those who waited for a fetch that failed share its outcome instead of waiting for one each.
        if self._set is None and self._clock() - self._failed_at >= FAILURE_SHARED_SECONDS:
            self._try_fetch("first")
        if self._set is None:
            raise KeysUnavailable("the issuer's signing keys could not be fetched yet")
        return self._set

    def _may_ask_for_unknown(self) -> bool:
        now = self._clock()
        self._unknown_fetches = [at for at in self._unknown_fetches if now - at < 60]  # noqa: PLR2004 # a minute
        if len(self._unknown_fetches) >= UNKNOWN_PER_MINUTE:
            return False
        self._unknown_fetches.append(now)
        return True

    def _try_fetch(self, reason: str) -> None:
        try:
            body, max_age = self._fetch()
            keys = parse_key_set(body)
        except KeysUnavailable as error:
            FETCHES.labels(reason, "failed").inc()
            self._failed_at = self._clock()
            log.warning("the issuer's keys could not be fetched, those known stay in use: %s", error)
            return
        least, most = MAX_AGE_RANGE
        age = min(max(MAX_AGE_DEFAULT if max_age is None else max_age, least), most)
        self._set = KeySet(keys, self._clock() + age)
        FETCHES.labels(reason, "fetched").inc()
        KEYS_AGE.set_to_current_time()

    def _refresh(self) -> None:
        while not self._stopped.is_set():
            due = self._set.refresh_at if self._set else 0.0
            if self._clock() >= due:
                try:
                    with self._fetching:
                        self._try_fetch("refresh")
                except Exception:  # this thread must outlive whatever an issuer may send
                    log.exception("refreshing the issuer's keys failed")
                # A failed fetch leaves the time where it was: try again soon, not at once.
                self._stopped.wait(1.0 if self._set is None or self._clock() >= self._set.refresh_at else 0.0)
            else:
                self._stopped.wait(min(1.0, due - self._clock()))


def parse_key_set(body: bytes) -> dict[str, PublicKey]:
    """The usable keys by their id; KeysUnavailable when the text is no key set."""
    try:
        listed = json.loads(body)["keys"]
        return {entry["kid"]: key for entry in listed if isinstance(entry, dict) and (key := _public_key(entry))}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysUnavailable(f"what the issuer published is no key set: {error}") from error


def _public_key(entry: Mapping[str, Any]) -> PublicKey | None:
    if not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
        return None
    if entry.get("alg", ALGORITHMS[0]) not in ALGORITHMS:
        return None
    public = {name: entry[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in entry}
    try:
        if (entry.get("kty"), entry.get("crv")) == ("EC", "P-256"):
            return ECKey.import_key(public)
        if (entry.get("kty"), entry.get("crv")) == ("OKP", "Ed25519"):
            return OKPKey.import_key(public)
        if entry.get("kty") == "RSA":
            return _rsa_key(public)
    except (JoseError, ValueError, TypeError) as error:
        log.warning("a key of the issuer can't be read and is passed over: %s", error)
    return None


def _rsa_key(public: dict[str, Any]) -> RSAKey | None:
    if len(str(public.get("n"))) not in RSA_CHARACTERS or len(str(public.get("e"))) > len("AQAB"):
        return None
    key = RSAKey.import_key(public)
    return key if key.public_key.key_size in RSA_BITS else None


def discovered_fetch(issuer: str) -> Fetch:
    """Fetches from where the issuer says that its keys are (OpenID Connect Discovery 1.0, RFC 8414). An issuer that
    describes itself nowhere has them at ``/.well-known/jwks.json``.
    """
    base = issuer.rstrip("/")

    def fetch() -> tuple[bytes, float | None]:
        status, body, _ = _get(f"{base}/.well-known/openid-configuration")
        if status == NOT_FOUND:
            return http_fetch(f"{base}/.well-known/jwks.json")()
        return http_fetch(_keys_of(body, issuer, status))()

    return fetch


def _keys_of(body: bytes, issuer: str, status: int) -> str:
    try:
        described = json.loads(body)
        named, url = described["issuer"], described["jwks_uri"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeysUnavailable(f"{issuer} does not describe itself: it answered {status}") from None
    if named != issuer:
        raise KeysUnavailable(
            f"{issuer} describes itself as {str(named)[:200]!r}: AUTH_ISSUER must be that, to the letter"
        )
    if not isinstance(url, str) or not url.startswith(("https://", f"{issuer.partition(':')[0]}://")):
        raise KeysUnavailable(f"{issuer} says that its keys are at {str(url)[:200]!r}, which is no safe address")
    return url


def http_fetch(url: str) -> Fetch:
    """Fetches over HTTP with a time limit and a size limit, following no redirect."""

    def fetch() -> tuple[bytes, float | None]:
        status, body, cached = _get(url)
        if status != OK:
            raise KeysUnavailable(f"{url} answered {status} with {len(body)} bytes")
        found = _MAX_AGE.search(cached)
        return body, float(found[1]) if found else None

    return fetch


def _get(url: str) -> tuple[int, bytes, str]:
    """Status, body and ``Cache-Control``."""
    limit = urllib3.Timeout(total=FETCH_SECONDS)
    try:
        # A kept connection stays with whoever accepted it: one that was opened while the Service had no
        # endpoint yet (some networks answer for such an address) would give the same wrong answer for ever.
        with pool_for(url, retries=False, timeout=limit) as fresh:
            answer = fresh.request("GET", url, redirect=False, preload_content=False)
            try:
                body = read_within(answer, most=MAX_KEY_SET_BYTES + 1, seconds=FETCH_SECONDS)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, TimeoutError, ConfigurationError) as error:
        raise KeysUnavailable(f"{url}: {error}") from error
    if len(body) > MAX_KEY_SET_BYTES:
        raise KeysUnavailable(f"{url} answered with more than {MAX_KEY_SET_BYTES} bytes")
    return answer.status, body, answer.headers.get("Cache-Control", "")
