"""The OAuth2 and OpenID Connect server, by Authlib: authorization code with PKCE, refresh with rotation, and
client credentials by signed assertion (private_key_jwt), so that no client has a password.

Every request is one transaction, kept in ``flask.g``. Codes and refresh tokens are one-time: whoever brings
one a second time may be a thief, so all tokens of its family are revoked (RFC 9700).
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast
from uuid import UUID, uuid4

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, g
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from ..domain.model import User
from ..settings import Client, UsersSettings
from .signing_keys import ALGORITHM, Signer
from .tables import authorization_codes, refresh_tokens, used_assertions

CODE_LIFETIME = timedelta(seconds=60)
# An answer can be lost, and a page open twice asks twice at once: for so long the same token is no theft.
REUSE_LEEWAY = timedelta(seconds=10)
PRIVATE_KEY_JWT = JWTBearerClientAssertion.CLIENT_AUTH_METHOD


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)


def _session() -> Session:
    session: Session = g.session
    return session


class _Client:
    """A configured client as Authlib wants to ask it."""

    def __init__(self, declared: Client) -> None:
        self.declared = declared
        self.client_id = declared.id
        self.token_endpoint_auth_method = PRIVATE_KEY_JWT if declared.keys else "none"
        self.id_token_signed_response_alg = ALGORITHM

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.declared.redirect_uris[0] if len(self.declared.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in self.declared.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.declared.redirect_uris

    def check_client_secret(self, _secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.token_endpoint_auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.declared.grants

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.declared.grants


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

    def check_client(self, client: _Client) -> bool:
        return bool(self.row.client_id == client.client_id)

    def get_scope(self) -> str:
        return str(self.row.scope)


def _revoke_family(family: UUID) -> None:
    _session().execute(delete(refresh_tokens).where(refresh_tokens.c.family == family))


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
                redirect_uri=request.payload.redirect_uri or request.client.get_default_redirect_uri(),
                nonce=data.get("nonce"),
                code_challenge=data["code_challenge"],
                signed_in_at=_now(),
                expires_at=_now() + CODE_LIFETIME,
            )
        )

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        table = authorization_codes
        found = select(table).where(table.c.hash == hashed(code), table.c.client_id == client.client_id)
        row = _session().execute(found.with_for_update()).one_or_none()
        if row is None or row.expires_at <= _now():
            return None
        if row.used_at is not None:
            _revoke_family(row.family)
            return None
        return _Code(row)

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        table = authorization_codes
        used = update(table).where(table.c.hash == authorization_code.row.hash).values(used_at=_now())
        _session().execute(used)

    def authenticate_user(self, authorization_code: _Code) -> User | None:
        g.family = authorization_code.row.family
        return _session().get(User, authorization_code.row.user_id)


class _RefreshTokenGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["none", PRIVATE_KEY_JWT]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _RefreshToken | None:
        table = refresh_tokens
        found = select(table).where(table.c.hash == hashed(refresh_token)).with_for_update()
        row = _session().execute(found).one_or_none()
        if row is None or row.expires_at <= _now():
            return None
        if row.used_at is not None and row.used_at + REUSE_LEEWAY <= _now():
            _revoke_family(row.family)
            return None
        return _RefreshToken(row)

    def authenticate_user(self, refresh_token: _RefreshToken) -> User | None:
        g.family = refresh_token.row.family
        return _session().get(User, refresh_token.row.user_id)

    def revoke_old_credential(self, refresh_token: _RefreshToken) -> None:
        table = refresh_tokens
        this = (table.c.hash == refresh_token.row.hash) & table.c.used_at.is_(None)
        _session().execute(update(table).where(this).values(used_at=_now()))


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
        return [self._issuer, f"{self._issuer}/oauth/token"]

    def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
        first = (
            upsert(used_assertions)
            .values(
                hash=hashed(f"{claims['sub']} {jti}"),
                expires_at=datetime.fromtimestamp(min(float(claims["exp"]), time.time() + 86_400), UTC),
            )
            .on_conflict_do_nothing()
            .returning(used_assertions.c.hash)
        )
        return _session().execute(first).one_or_none() is not None

    def resolve_client_public_key(self, client: _Client) -> KeySet:
        if not client.declared.keys:
            raise InvalidClientError(description="This client has no keys to prove itself with.")
        return KeySet.import_key_set(cast("Any", client.declared.keys))


class _OpenIdCode(OpenIDCode):  # type: ignore[misc]
    def __init__(self, settings: UsersSettings, signer: Signer) -> None:
        super().__init__(require_nonce=False)
        self._settings = settings
        self._signer = signer

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        table = authorization_codes
        same = select(table.c.hash).where(table.c.client_id == request.payload.client_id, table.c.nonce == nonce)
        return _session().scalar(same.limit(1)) is not None

    def resolve_client_private_key(self, _client: _Client) -> ECKey:
        return self._signer.pair(_session())

    def get_client_algorithm(self, _client: _Client) -> str:
        return ALGORITHM

    def get_encode_header(self, _client: _Client) -> dict[str, str]:
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
            _session().execute(
                insert(refresh_tokens).values(
                    hash=hashed(token["refresh_token"]),
                    family=g.family,
                    client_id=request.client.client_id,
                    user_id=request.user.id,
                    scope=token.get("scope", ""),
                    expires_at=_now() + timedelta(days=settings.refresh_token_days),
                )
            )

    return save


def _make_token(settings: UsersSettings, signer: Signer) -> Callable[..., dict[str, Any]]:
    """Access tokens are JWTs as RFC 9068 has them."""

    def make(
        *,
        client: _Client,
        user: User | None = None,
        scope: str | None = None,
        include_refresh_token: bool = True,
        **_rest: object,
    ) -> dict[str, Any]:
        lifetime = settings.access_token_seconds
        now = int(time.time())
        granted = client.get_allowed_scope(scope)
        claims = {
            "iss": settings.auth_issuer,
            "sub": str(user.id) if user else client.client_id,
            "aud": settings.auth_audience,
            "iat": now,
            "exp": now + lifetime,
            "jti": uuid4().hex,
            "client_id": client.client_id,
            "scope": granted,
        }
        token = {
            "token_type": "Bearer",
            "access_token": signer.sign(_session(), claims, kind="at+jwt"),
            "expires_in": lifetime,
            "scope": granted,
        }
        if include_refresh_token and user and client.check_grant_type("refresh_token"):
            token["refresh_token"] = secrets.token_urlsafe(32)
        return token

    return make


def authorization_server(settings: UsersSettings, signer: Signer) -> AuthorizationServer:
    """Authlib's server with our grants; its methods must be called inside ``g.session``'s transaction."""
    clients = {client.id: _Client(client) for client in settings.oauth_clients}
    server = AuthorizationServer(query_client=clients.get, save_token=_save_token(settings))
    server.init_app(Flask("settings"))
    server.scopes_supported = sorted({scope for client in settings.oauth_clients for scope in client.scopes})
    server.register_token_generator("default", _make_token(settings, signer))
    server.register_client_auth_method(PRIVATE_KEY_JWT, _ClientAssertion(settings))
    server.register_grant(_AuthorizationCodeGrant, [_Pkce(required=True), _OpenIdCode(settings, signer)])
    server.register_grant(_RefreshTokenGrant, [])
    server.register_grant(_ClientCredentialsGrant)
    return server


def forget_expired(session: Session) -> None:
    """Removes what can't be used any more."""
    for table in (authorization_codes, refresh_tokens, used_assertions):
        session.execute(delete(table).where(table.c.expires_at < _now() - timedelta(days=1)))
