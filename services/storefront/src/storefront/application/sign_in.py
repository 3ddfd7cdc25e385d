"""Signing in with an authorization code (RFC 6749 with RFC 7636), and staying signed in."""

import secrets
import time
from collections.abc import Callable

from ..domain.session import Account, Session, SignIn, local_path
from ..errors import NotSignedIn, SignInFailed
from .ports import Refresher, Tokens

# Renewed so long before its end: a page and what it asks others must be done with the old one by then.
RENEW_SECONDS = 30.0


def new_session(account: Account | None = None) -> Session:
    return Session(form_token=secrets.token_urlsafe(24), account=account)


def begin(back: str) -> SignIn:
    return SignIn(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        back=local_path(back),
    )


def finish(tokens: Tokens, sign_in: SignIn | None, *, state: str, code: str, error: str) -> Session:
    """The session of who signed in; SignInFailed when the answer is not the one to ``sign_in``."""
    if sign_in is None:
        raise SignInFailed("The sign-in took too long, or was begun in another browser.")
    if not sign_in.began(state):
        raise SignInFailed("This is the answer to another sign-in than the last one you began.")
    if error or not code:
        raise SignInFailed("You were not signed in.")
    # A new form token: one that was planted before the sign-in is worth nothing behind it.
    return new_session(tokens.exchange(code, sign_in))


class Fresh:
    """The account of one visit, with a token that is good for a while: renewed when first asked for."""

    def __init__(
        self, account: Account, refresher: Refresher, *, within: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.account = account
        self.ended = False
        self._refresher = refresher
        self._within = within
        self._clock = clock

    def __call__(self) -> Account:
        """Raises NotSignedIn when the issuer refuses to renew; while it is away, a token still valid will do."""
        if self.account.good_for(RENEW_SECONDS, now=self._clock()):
            return self.account
        try:
            self.account = self._refresher.refresh(self.account, within=self._within)
        except NotSignedIn:
            self.ended = True
            raise
        except Exception as error:
            if not getattr(error, "retriable", False) or not self.account.good_for(0, now=self._clock()):
                raise
        return self.account
