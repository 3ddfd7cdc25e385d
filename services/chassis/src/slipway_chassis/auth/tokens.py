"""A bearer token to a principal: signature, issuer, audience and times, or InvalidToken with the reason.

Algorithms are pinned to ES256, EdDSA, RS256 and PS256: ``none`` and the symmetric ones are how tokens are forged.
A verified token is remembered until it expires or its key is withdrawn, since one ES256 check costs as
much processor time as a quarter of a small request.

>>> from slipway_chassis.testing.issuer import FakeIssuer
>>> issuer = FakeIssuer(audience="shop")
>>> verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience="shop")
>>> sorted(verifier.verify(issuer.token("ada", scopes=["orders:read"])).scopes)
['orders:read']
"""

import json
import threading
import time
import warnings
from binascii import Error as BinasciiError
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from prometheus_client import Counter

from ..errors import InvalidToken
from .keys import ALGORITHMS, Keys

REFUSED = Counter("auth_refused_total", "Requests rejected because of their token", ["reason"])

# RFC 9864 renamed EdDSA to Ed25519; issuers still send the old name, and it is the same algorithm.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

LONGEST_TOKEN = 8192
# Access tokens of RFC 9068, and of issuers that do not know it. Whatever else is signed with the same keys (a logout
# token, an event) is no access token.
ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "jwt"})
IDENTITY_TOKEN_TYPES = frozenset({"jwt"})
REMEMBERED = 4096
LATEST = 2**40


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. ``subject`` is the token's ``sub``; ``scopes`` what it was granted."""

    subject: str
    scopes: frozenset[str]
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    kid: str
    until: float


class Verifier:
    """Thread-safe. ``leeway`` is the difference of clocks that is forgiven, in seconds; ``types`` are the values of
    ``typ`` that are accepted, in lower case. A token without one counts as ``jwt``.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        issuer: str,
        audience: str,
        leeway: float = 30.0,
        types: Collection[str] = ACCESS_TOKEN_TYPES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._types = frozenset(types)
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def for_audience(self, audience: str) -> "Verifier":
        """Another verifier by the same keys: for identity tokens, which are meant for an application itself."""
        return Verifier(
            self._keys,
            issuer=self._issuer,
            audience=audience,
            leeway=self._leeway,
            types=IDENTITY_TOKEN_TYPES,
            clock=self._clock,
        )

    def verify(self, token: str) -> Principal:
        """The token's principal; InvalidToken, or KeysUnavailable while the issuer was never reached."""
        remembered = self._remembered.get(token)
        if remembered and self._clock() < remembered.until and self._keys.known(remembered.kid):
            return remembered.principal
        try:
            kid, claims = self._signed_claims(token)
            principal, expires = self._principal(claims)
        except InvalidToken as error:
            REFUSED.labels(error.reason).inc()
            raise
        self._remember(token, _Remembered(principal, kid, expires + self._leeway))
        return principal

    def _signed_claims(self, token: str) -> tuple[str, dict[str, Any]]:
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken("the token is too long", reason="malformed")
        try:
            signed = jws.extract_compact(token.encode())
            header = signed.headers()
            algorithm, kid, kind = header.get("alg"), header.get("kid"), _media_type(header.get("typ", "jwt"))
        except (JoseError, ValueError, TypeError, BinasciiError, RecursionError):
            raise InvalidToken("the token is not a signed JSON Web Token", reason="malformed") from None
        if algorithm not in ALGORITHMS:
            raise InvalidToken("only ES256, EdDSA, RS256 and PS256 signatures are accepted", reason="algorithm")
        if kind not in self._types:
            raise InvalidToken(f"the token is none of the types {', '.join(sorted(self._types))}", reason="type")
        if not isinstance(kid, str):
            raise InvalidToken("the token names no key (kid)", reason="malformed")
        key = self._keys.find(kid)
        if key is None:
            raise InvalidToken("the token was signed with a key the issuer does not publish", reason="unknown_key")
        try:
            valid = jws.validate_compact(signed, key, algorithms=ALGORITHMS)
            claims = json.loads(signed.payload) if valid else None
        except (JoseError, ValueError, TypeError, RecursionError):
            valid, claims = False, None
        if not valid or not isinstance(claims, dict):
            raise InvalidToken("the signature is wrong", reason="signature")
        return kid, claims

    def _principal(self, claims: Mapping[str, Any]) -> tuple[Principal, float]:
        now = self._clock()
        expires, not_before = _seconds(claims.get("exp")), _seconds(claims.get("nbf", 0))
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if expires is None or not_before is None:
            raise InvalidToken("the token has no valid time of expiry", reason="expired")
        if now >= expires + self._leeway:
            raise InvalidToken("the token has expired", reason="expired")
        if now < not_before - self._leeway:
            raise InvalidToken("the token is not valid yet", reason="not_yet")
        if claims.get("iss") != self._issuer:
            raise InvalidToken("the token is from another issuer", reason="issuer")
        if self._audience not in audiences:
            raise InvalidToken("the token is for another audience", reason="audience")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise InvalidToken("the token names no subject", reason="malformed")
        return Principal(subject, frozenset(_scopes(claims.get("scope", claims.get("scp")))), claims), expires

    def _remember(self, token: str, remembered: _Remembered) -> None:
        with self._lock:
            self._remembered[token] = remembered
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)


def _media_type(value: object) -> str:
    """RFC 7515, section 4.1.9: compared without regard to case, and application/ may be left out."""
    return value.lower().removeprefix("application/") if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    """A NumericDate of RFC 7519; None where it is none, or lies beyond all calendars."""
    valid = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LATEST
    return float(value) if valid else None  # type: ignore[arg-type] # mypy loses sight of it


def _scopes(granted: object) -> Sequence[str]:
    """RFC 8693's string of words; some issuers send a list, or call it ``scp``."""
    if isinstance(granted, str):
        return granted.split()
    return [one for one in granted if isinstance(one, str)] if isinstance(granted, list) else []
