"""What a visitor's browser carries, and the rules of signing in.

>>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
>>> local_path("//evil.example"), local_path("/orders?page=2")
('/', '/orders?page=2')
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

LONGEST_PATH = 500
_FIRST_PRINTABLE, _DELETE = "\x21", "\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who is signed in, and the tokens that prove it. ``expires_at``: of the access token, seconds since 1970."""

    subject: str
    name: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float

    def good_for(self, seconds: float, *, now: float) -> bool:
        """Whether the access token is valid for so long from now."""
        return self.expires_at - now >= seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """``form_token`` proves that a form came from a page of this session (against CSRF)."""

    form_token: str = field(repr=False)
    account: Account | None = None

    def made(self, token: str) -> bool:
        """Whether a form with this token is ours; takes the same time wherever they differ."""
        return hmac.compare_digest(self.form_token.encode(), token.encode(errors="replace"))

    def with_account(self, account: Account | None) -> "Session":
        return replace(self, account=account)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in under way: what is sent along, to recognise the answer as ours. ``back`` is where it leads."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    back: str = "/"

    def began(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode(), state.encode(errors="replace"))


def challenge(verifier: str) -> str:
    """The S256 code challenge of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def local_path(wanted: str) -> str:
    """The path where it leads into this shop, else ``/``: a link to us must not lead elsewhere.

    Browsers take a backslash for a slash and leave out tabs and line ends, so neither may be in it.
    """
    if not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > LONGEST_PATH or "\\" in wanted:
        return "/"
    if any(not _FIRST_PRINTABLE <= character < _DELETE for character in wanted):
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else wanted
