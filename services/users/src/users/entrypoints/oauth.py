"""OAuth2 and OpenID Connect: the sign-in page, the token endpoint, and what clients must know of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import Blueprint, Response, g, jsonify, render_template, request

from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.http import Problem, Resources, current_parts

from ..adapters.authorization import authorization_server
from ..adapters.devices import COOKIE, KnownDevices
from ..adapters.passwords import Argon2Passwords
from ..adapters.repositories import SqlPasswordAttempts, repositories
from ..adapters.signing_keys import ALGORITHM, Signer, SqlSigningKeys
from ..application import use_cases
from ..application.ports import PasswordAttempts, Passwords
from ..domain.model import User, same_case
from ..domain.sign_in_limits import limits
from ..errors import WrongPassword
from ..settings import UsersSettings

pages = Blueprint("oauth", __name__, template_folder=str(Path(__file__).parent / "templates"))

LONGEST_PASSWORD = 200
PLAIN = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]{0,8192}")
# The page is a form and nothing else: no script, no foreign content, in nobody's frame.
SIGN_IN_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the handlers of this service use; one per process."""

    settings: UsersSettings
    database: Database
    passwords: Passwords
    attempts: PasswordAttempts
    devices: KnownDevices
    authorization: AuthorizationServer


def parts(resources: Resources) -> Parts:
    settings, database = resources.settings, resources.database
    if not isinstance(settings, UsersSettings) or database is None:
        raise ConfigurationError("the users service needs its settings and its database")
    return Parts(
        settings,
        database,
        Argon2Passwords(),
        SqlPasswordAttempts(database),
        KnownDevices(settings.signing_keys_secret),
        authorization_server(settings, Signer.of(settings)),
    )


@contextmanager
def _transaction() -> Iterator[Parts]:
    """Authlib's callbacks find the session in ``g``."""
    _require_plain_parameters()
    known = current_parts(Parts)
    with known.database.transaction() as session:
        g.session = session
        yield known


def _require_plain_parameters() -> None:
    """What a protocol's parameter may consist of (RFC 6749, appendix A); the user's own words are checked apart."""
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    for name, value in given:
        if name not in ("email", "password") and not PLAIN.fullmatch(value):
            raise Problem(400, "A parameter has characters it may not have, or is too long.")


@pages.get("/oauth/authorize")
def ask_to_sign_in() -> tuple[Response, int] | Response:
    """The sign-in page, when the request is one that will be answered."""
    with _transaction() as known:
        try:
            known.authorization.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            return _refused(known, error)
        return _sign_in_page()


@pages.post("/oauth/authorize")
def sign_in() -> tuple[Response, int] | Response:
    """Checks the password and sends the browser back with a code."""
    with _transaction() as known:
        try:
            grant = known.authorization.get_consent_grant(end_user=None)
            user = _signed_in(known)
        except OAuth2Error as error:
            return _refused(known, error)
        except WrongPassword as error:
            return _sign_in_page(str(error)), 401
        answer: Response = known.authorization.create_authorization_response(grant_user=user, grant=grant)
        answer.headers.update(SIGN_IN_HEADERS)
        known.devices.remember(answer, user.email)
        return answer


def _signed_in(known: Parts) -> User:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    if "\x00" in email + password or len(password) > LONGEST_PASSWORD:
        raise WrongPassword("Email or password is wrong.")
    address = same_case(email)
    known_device = known.devices.knows(request.cookies.get(COOKIE, ""), address)
    return use_cases.sign_in(
        repositories(g.session).users,
        known.passwords,
        known.attempts,
        email=email,
        password=password,
        limits=limits(address, _client(), known_device=known_device),
        now=datetime.now(UTC),
    )


def _client() -> str:
    """Who asks, as the gateway tells; it lets nobody else say so."""
    return request.headers.get("X-Client-Address", request.remote_addr or "")[:100]


def _sign_in_page(wrong: str = "") -> Response:
    page = render_template("sign_in.html", wrong=wrong, email=request.form.get("email", ""))
    return Response(page, headers=SIGN_IN_HEADERS, mimetype="text/html")


def _refused(known: Parts, error: OAuth2Error) -> Response:
    """Back to the client when it is known to be one, else a problem: never to an address nobody registered."""
    if getattr(error, "redirect_uri", None):
        return known.authorization.handle_error_response(None, error)  # type: ignore[no-any-return]
    raise Problem(400, error.description or error.error or "The request is no valid authorization request.")


@pages.post("/oauth/token")
def token() -> Response:
    """Exchanges a code, a refresh token, or an assertion of a client for an access token."""
    with _transaction() as known:
        answer: Response = known.authorization.create_token_response()
        return answer


@pages.post("/oauth/revoke")
def revoke() -> Response:
    """Ends a refresh token and all that came of the same sign-in (RFC 7009)."""
    with _transaction() as known:
        answer: Response = known.authorization.create_endpoint_response("revocation")
        return answer


@pages.get("/.well-known/jwks.json")
def key_set() -> Response:
    with _transaction() as known:
        keys = SqlSigningKeys(g.session, known.settings.signing_keys_secret)
        answer = jsonify(keys=keys.published(known.settings.rotation, datetime.now(UTC)))
    answer.headers["Cache-Control"] = f"public, max-age={known.settings.key_set_max_age:.0f}"
    return answer


@pages.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """What a client needs to know: https://openid.net/specs/openid-connect-discovery-1_0.html."""
    settings = current_parts(Parts).settings
    issuer = settings.auth_issuer.rstrip("/")
    answer = jsonify(
        issuer=settings.auth_issuer,
        authorization_endpoint=f"{issuer}/oauth/authorize",
        token_endpoint=f"{issuer}/oauth/token",
        revocation_endpoint=f"{issuer}/oauth/revoke",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        response_types_supported=["code"],
        grant_types_supported=["authorization_code", "refresh_token", "client_credentials"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=[ALGORITHM],
        token_endpoint_auth_methods_supported=["none", "private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported=[ALGORITHM],
        code_challenge_methods_supported=["S256"],
        scopes_supported=current_parts(Parts).authorization.scopes_supported,
    )
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer
