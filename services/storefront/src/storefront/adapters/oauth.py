"""The token endpoint, asked inside the cluster, as a public client: PKCE takes the place of a password.

The chassis' HttpClient sends JSON alone, and this endpoint takes a form; hence urllib3 here, behind the same
guard and with the same limits.
"""

import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import urllib3

from slipway_chassis import deadline
from slipway_chassis.auth import Verifier
from slipway_chassis.bounded_read import read_within
from slipway_chassis.errors import (
    DeadlineExceeded,
    DependencyUnavailable,
    InvalidToken,
    UnusableAnswer,
    UpstreamUnavailable,
)
from slipway_chassis.outgoing import pool_for
from slipway_chassis.resilience import Guard
from slipway_chassis.telemetry.correlation import outgoing_headers, span

from ..domain.session import Account, SignIn
from ..errors import NotSignedIn, SignInFailed

log = logging.getLogger(__name__)

LARGEST = 64 * 1024
LONGEST_NAME = 60  # what the page shows: a cookie has room for no more
# The issuer can't answer now, or not so many: nobody is signed out for that.
AWAY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, 504}


class TokenEndpoint:
    """``access`` checks access tokens, ``identity`` those that tell the client who signed in. No page waits for a
    whole ``renewal_timeout``; but an answer that is not waited for is a token lost.
    """

    def __init__(
        self,
        users_url: str,
        *,
        client_id: str,
        redirect_uri: str,
        access: Verifier,
        identity: Verifier,
        timeout: float = 3.0,
        renewal_timeout: float = 8.0,
        guard: Guard | None = None,
    ) -> None:
        self._base = f"{users_url}/oauth"
        self._client_id = client_id
        self._redirect_uri = redirect_uri
        self._access = access
        self._identity = identity
        self._timeout = timeout
        self._renewal_timeout = renewal_timeout
        self._guard = guard or Guard("users-tokens")
        self._pool = pool_for(users_url, retries=False, maxsize=8)

    def exchange(self, code: str, sign_in: SignIn) -> Account:
        """Raises SignInFailed where the code is refused or the tokens are not those that were asked for."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": sign_in.verifier,
        }
        status, found = self._ask("token", form, self._timeout)
        if status != HTTPStatus.OK:
            raise SignInFailed("The sign-in was not accepted. It may have taken too long.")
        try:
            claims = self._identity.verify(str(found.get("id_token", ""))).claims
            if claims.get("nonce") != sign_in.nonce:
                raise SignInFailed("The answer belongs to another sign-in.")
            return self._account(found, subject=str(claims["sub"]), name=str(claims.get("name", ""))[:LONGEST_NAME])
        except InvalidToken as error:
            raise SignInFailed("The sign-in gave no valid token.") from error

    def renew(self, account: Account) -> Account:
        """Raises NotSignedIn where the issuer refuses."""
        form = {"grant_type": "refresh_token", "refresh_token": account.refresh_token}
        status, found = self._ask("token", form, self._renewal_timeout)
        if status != HTTPStatus.OK:
            raise NotSignedIn("The session has ended.")
        try:
            return self._account(found, subject=account.subject, name=account.name, refresh=account.refresh_token)
        except (InvalidToken, SignInFailed) as error:
            raise NotSignedIn("The session has ended.") from error

    def revoke(self, account: Account) -> None:
        """Where users can't be reached the tokens live on until they expire; signing out is not refused for it."""
        try:
            self._ask("revoke", {"token": account.refresh_token}, self._timeout)
        except (DependencyUnavailable, UnusableAnswer, DeadlineExceeded) as error:
            log.warning("a session was signed out and could not be revoked: %s", error)

    def _account(self, found: Mapping[str, Any], *, subject: str, name: str, refresh: str = "") -> Account:
        token = str(found.get("access_token", ""))
        principal = self._access.verify(token)
        if principal.subject != subject:
            raise SignInFailed("The tokens belong to different users.")
        return Account(
            subject=subject,
            name=name,
            access_token=token,
            refresh_token=str(found.get("refresh_token") or refresh),
            expires_at=float(principal.claims["exp"]),
        )

    def _ask(self, what: str, form: Mapping[str, str], seconds: float) -> tuple[int, dict[str, Any]]:
        """Never repeated: a code is good for one try."""
        with span(f"POST users/oauth/{what}", kind="client") as current:
            sent = {**form, "client_id": self._client_id}
            status, body = self._guard.call(lambda: self._once(what, sent, seconds), safe_to_repeat=False)
            current.put("http.response.status_code", status)
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UnusableAnswer(f"users: the token endpoint answered {status} without a JSON object")
        return status, found

    def _once(self, what: str, form: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        limit = deadline.timeout(seconds)
        began = time.monotonic()
        headers = {"Accept": "application/json", **outgoing_headers()}
        if (end := deadline.current()) is not None:
            headers[deadline.HEADER] = f"{end:.3f}"
        try:
            answer = self._pool.request(
                "POST",
                f"{self._base}/{what}",
                fields=form,
                encode_multipart=False,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(limit, 1.0), total=limit),
                redirect=False,
                preload_content=False,
            )
            left = max(0.0, began + limit - time.monotonic())
            body = read_within(answer, most=LARGEST + 1, seconds=left)
            answer.release_conn() if len(body) <= LARGEST else answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            deadline.refuse_if_over(given=limit, usual=seconds)
            raise UpstreamUnavailable(f"users, token endpoint: {type(error).__name__}") from error
        if answer.status in AWAY:
            raise UpstreamUnavailable(f"users, token endpoint: {answer.status}")
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or len(body) > LARGEST:
            raise UnusableAnswer(f"users: the token endpoint answered {answer.status} with {len(body)} bytes")
        return answer.status, body
