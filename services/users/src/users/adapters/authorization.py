"""The OAuth2 and OpenID Connect server, by Authlib: authorization code with PKCE, refresh with rotation, and
client credentials by signed assertion (private_key_jwt), so that no client has a password.

Every request is one transaction, kept in ``flask.g``. Codes and refresh tokens are one-time: whoever brings
one a second time may be a thief, so all tokens of its family are revoked (``token_families``).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast
from uuid import uuid4

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Payload, FlaskOAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, OAuth2Request, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Request, g
from flask import request as current_flask_request
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from ..domain.model import User
from ..settings import UsersSettings
from .oauth_clients import PRIVATE_KEY_JWT, OAuthClient
from .signing_keys import ALGORITHM, Signer
from .tables import authorization_codes, refresh_tokens, sign_in_failures, token_families, used_assertions
from .token_families import SqlTokenFamilies, hashed, new_refresh_token

CODE_LIFETIME = timedelta(seconds=60)
LONGEST_ASSERTION_SECONDS = 3600  # until it expires: for so long at least it is remembered that it was used
AT_ONCE = 1000


def _now() -> datetime:
    return datetime.now(UTC)


def _session() -> Session:
    session: Session = g.session
    return session


class _Code:
    """A stored authorization code as Authlib wants to ask it."""

    def __init__(self, row: Any) -> None:
        self.row = row
        self.code_challenge = row.code_challenge
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        return str(self.row.redirect_uri)

    def get_scope(self) -> str:
        return str(self.row.scope)

    def get_nonce(self) -> str | None:
        return str(self.row.nonce) if self.row.nonce else None

    def get_auth_time(self) -> int:
        return int(self.row.signed_in_at.timestamp())

    def get_acr(self) -> None:
        """How the user proved who they are has no levels here."""

    def get_amr(self) -> None:
        """Likewise: there is one way."""


class _RefreshToken:
    def __init__(self, row: Any) -> None:
        self.row = row

    def check_client(self, client: OAuthClient) -> bool:
        return bool(self.row.client_id == client.client_id)

    def get_scope(self) -> str:
        return str(self.row.scope)


def _families() -> SqlTokenFamilies:
    return SqlTokenFamilies(_session())


class _AuthorizationCodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc] # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["none", PRIVATE_KEY_JWT]

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        _session().execute(
            insert(authorization_codes).values(
                hash=hashed(code),
                family=uuid4(),
                client_id=request.client.client_id,
                user_id=request.user.id,
                scope=request.client.get_allowed_scope(request.payload.scope),
                redirect_uri=request.payload.redirect_uri or "",  # what was not sent need not be sent again
                nonce=data.get("nonce"),
                code_challenge=data["code_challenge"],
                signed_in_at=_now(),
                expires_at=_now() + CODE_LIFETIME,
            )
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> _Code | None:
        table = authorization_codes
        found = select(table).where(table.c.hash == hashed(code), table.c.client_id == client.client_id)
        row = _session().execute(found.with_for_update()).one_or_none()
        if row is None:
            return None
        _families().lock(row.family)
        if row.used_at is not None:
            _families().revoke(row.family)
            return None
        return _Code(row) if row.expires_at > _now() else None

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        table = authorization_codes
        used = update(table).where(table.c.hash == authorization_code.row.hash).values(used_at=_now())
        _session().execute(used)

    def authenticate_user(self, authorization_code: _Code) -> User | None:
        g.family, g.signed_in_at = authorization_code.row.family, authorization_code.row.signed_in_at
        return _session().get(User, authorization_code.row.user_id)


class _RefreshTokenGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["none", PRIVATE_KEY_JWT]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _RefreshToken | None:
        row = _families().usable(refresh_token, now=_now())
        return _RefreshToken(row) if row else None

    def authenticate_user(self, refresh_token: _RefreshToken) -> User | None:
        g.family, g.granted, g.parent = refresh_token.row.family, refresh_token.row.scope, refresh_token.row.hash
        return _session().get(User, refresh_token.row.user_id)

    def revoke_old_credential(self, refresh_token: _RefreshToken) -> None:
        _families().note_use(refresh_token.row, now=_now())


class _ClientCredentialsGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = [PRIVATE_KEY_JWT]


class _Pkce(CodeChallenge):  # type: ignore[misc]
    """S256 alone, and for every client: a code that is caught on its way is of no use."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Send code_challenge and code_challenge_method=S256 (PKCE).")
        super().validate_code_challenge(grant, redirect_uri)


class _ClientAssertion(JWTBearerClientAssertion):  # type: ignore[misc]
    def __init__(self, settings: UsersSettings) -> None:
        super().__init__()
        self._issuer = settings.auth_issuer.rstrip("/")

    def get_audiences(self) -> list[str]:
        return [self._issuer, f"{self._issuer}/", f"{self._issuer}/oauth/token"]

    def verify_claims(self, claims: dict[str, Any]) -> None:
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] > time.time() + LONGEST_ASSERTION_SECONDS:
            raise InvalidClientError(description="The assertion must expire within an hour.")
        super().verify_claims(claims)

    def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
        first = (
            upsert(used_assertions)
            .values(
                hash=hashed(f"{claims['sub']} {jti}"),
                expires_at=datetime.fromtimestamp(float(claims["exp"]), UTC),
            )
            .on_conflict_do_nothing()
            .returning(used_assertions.c.hash)
        )
        return _session().execute(first).one_or_none() is not None

    def resolve_client_public_key(self, client: OAuthClient) -> KeySet:
        if not client.declared.keys:
            raise InvalidClientError(description="This client has no keys to prove itself with.")
        return KeySet.import_key_set(cast("Any", client.declared.keys))


class _OpenIdCode(OpenIDCode):  # type: ignore[misc]
    def __init__(self, settings: UsersSettings, signer: Signer) -> None:
        super().__init__(require_nonce=False)
        self._settings = settings
        self._signer = signer

    def exists_nonce(self, _nonce: str, _request: Any) -> bool:
        """The nonce is the client's to check; refusing it here would only punish going back in the browser."""
        return False

    def resolve_client_private_key(self, _client: OAuthClient) -> ECKey:
        return self._signer.pair(_session())

    def get_client_algorithm(self, _client: OAuthClient) -> str:
        return ALGORITHM

    def get_encode_header(self, _client: OAuthClient) -> dict[str, str]:
        return {"alg": ALGORITHM, "kid": str(self._signer.pair(_session()).kid)}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self._settings.auth_issuer,
            "aud": [request.client.client_id],
            "iat": now,
            "exp": now + self._settings.access_token_seconds,
        }

    def generate_user_info(self, user: User, scope: str) -> UserInfo:
        granted = scope.split()
        info = UserInfo(sub=str(user.id))
        if "profile" in granted:
            info["name"] = user.name
        if "email" in granted:
            info["email"] = user.email
        return info


def _save_token(settings: UsersSettings) -> Callable[[dict[str, Any], Any], None]:
    def save(token: dict[str, Any], request: Any) -> None:
        if "refresh_token" in token:
            now = _now()
            signed_in_at = g.get("signed_in_at") or now
            ends_at = _families().begin(
                g.family,
                user_id=request.user.id,
                client_id=request.client.client_id,
                signed_in_at=signed_in_at,
                ends_at=signed_in_at + timedelta(days=settings.session_days),
            )
            _session().execute(
                insert(refresh_tokens).values(
                    hash=hashed(token["refresh_token"]),
                    family=g.family,
                    client_id=request.client.client_id,
                    user_id=request.user.id,
                    scope=g.get("granted") or token.get("scope", ""),  # a smaller one is for this access token alone
                    expires_at=min(now + timedelta(days=settings.refresh_token_days), ends_at),
                    parent=g.get("parent"),
                )
            )

    return save


def _make_token(settings: UsersSettings, signer: Signer) -> Callable[..., dict[str, Any]]:
    def make(
        *,
        client: OAuthClient,
        user: User | None = None,
        scope: str | None = None,
        include_refresh_token: bool = True,
        **_rest: object,
    ) -> dict[str, Any]:
        lifetime = settings.access_token_seconds
        granted = client.get_allowed_scope(scope)
        subject = str(user.id) if user else client.client_id
        signed = signer.access_token(
            _session(),
            subject=subject,
            client_id=client.client_id,
            scope=granted,
            now=datetime.now(UTC),
            lifetime=lifetime,
        )
        token = {
            "token_type": "Bearer",
            "access_token": signed,
            "expires_in": lifetime,
            "scope": granted,
        }
        if include_refresh_token and user and client.check_grant_type("refresh_token"):
            token["refresh_token"] = new_refresh_token(g.family)
        return token

    return make


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009, for refresh tokens: signing out ends the whole family."""

    CLIENT_AUTH_METHODS: ClassVar = ["none", PRIVATE_KEY_JWT]

    def query_token(self, token: str, _hint: str | None) -> _RefreshToken | None:
        row = _session().execute(select(refresh_tokens).where(refresh_tokens.c.hash == hashed(token))).one_or_none()
        return _RefreshToken(row) if row else None

    def revoke_token(self, token: _RefreshToken, _request: Any) -> None:
        _families().lock(token.row.family)
        _families().revoke(token.row.family)


class _Request(FlaskOAuth2Request):  # type: ignore[misc]
    """Authlib refuses plain HTTP by looking at the address. TLS ends at the gateway, and inside the cluster there is
    none: whether callers are safe is decided there.
    """

    def __init__(self, request: Request) -> None:
        address = request.url.replace("http://", "https://", 1)
        OAuth2Request.__init__(self, method=request.method, uri=address, headers=request.headers)
        self._request = request
        self.payload = FlaskOAuth2Payload(request)


class _Server(AuthorizationServer):  # type: ignore[misc]
    def create_oauth2_request(self, _request: object) -> _Request:
        return _Request(current_flask_request)


def authorization_server(settings: UsersSettings, signer: Signer) -> AuthorizationServer:
    """Authlib's server with our grants; its methods must be called inside ``g.session``'s transaction."""
    clients = {client.id: OAuthClient(client) for client in settings.oauth_clients}
    server = _Server(query_client=clients.get, save_token=_save_token(settings))
    server.init_app(Flask("settings"))
    server.scopes_supported = sorted({scope for client in settings.oauth_clients for scope in client.scopes})
    server.register_token_generator("default", _make_token(settings, signer))
    server.register_client_auth_method(PRIVATE_KEY_JWT, _ClientAssertion(settings))
    server.register_grant(_AuthorizationCodeGrant, [_Pkce(required=True), _OpenIdCode(settings, signer)])
    server.register_grant(_RefreshTokenGrant, [])
    server.register_grant(_ClientCredentialsGrant)
    server.register_endpoint(_Revocation)
    return server


def forget_expired(session: Session) -> None:
    """Removes what can't be used any more, some of it at a time. Of a refresh token that was used a day ago its family
    is enough: who brings it later still ends that.
    """
    yesterday = _now() - timedelta(days=1)
    ended = {table: table.c.expires_at < yesterday for table in (authorization_codes, refresh_tokens, used_assertions)}
    ended[refresh_tokens] |= refresh_tokens.c.used_at < yesterday
    ended[sign_in_failures] = sign_in_failures.c.last_at < yesterday
    for table, over in ended.items():
        session.execute(delete(table).where(table.c.hash.in_(select(table.c.hash).where(over).limit(AT_ONCE))))
    families = token_families.c
    ended_ones = select(families.id).where(families.ends_at < yesterday).limit(AT_ONCE)
    session.execute(delete(token_families).where(families.id.in_(ended_ones)))
