"""Settings of this service; the chassis reads them from the environment, before anything connects."""

from datetime import timedelta
from typing import Any, Literal, Self, cast

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, Json, model_validator

from slipway_chassis.auth.sealing import FernetKeys
from slipway_chassis.config import AuthSettings

from .domain.signing import Rotation


def _require_public(client: str, keys: dict[str, object]) -> None:
    try:
        found = KeySet.import_key_set(cast("Any", keys)).keys
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        JoseError,
    ) as error:  # whatever a malformed set makes of it
        raise ValueError(f"the keys of the client {client} are no key set (JWKS): {error}") from None
    if not found or any(key.key_type not in ("EC", "OKP") or key.is_private for key in found):
        raise ValueError(f"the keys of the client {client} must be public elliptic-curve keys, and nothing else")


class Client(BaseModel):
    """An application that asks for tokens. One without keys is public: only a code with PKCE gets it one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=100)
    grants: tuple[Literal["authorization_code", "refresh_token", "client_credentials"], ...] = (
        "authorization_code",
        "refresh_token",
    )
    scopes: frozenset[str] = Field(description="what it may ask for at most")
    redirect_uris: tuple[str, ...] = ()
    keys: dict[str, object] = Field(
        default_factory=dict, description="its public keys (JWKS), with which it proves who it is: private_key_jwt"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.keys:
            _require_public(self.id, self.keys)
        if "client_credentials" in self.grants and not self.keys:
            raise ValueError(f"the client {self.id} may use client_credentials and has no keys to prove itself with")
        if "authorization_code" in self.grants and not self.redirect_uris:
            raise ValueError(f"the client {self.id} may use authorization_code and has no redirect_uris")
        return self


class UsersSettings(AuthSettings):
    """This service is the issuer: AUTH_ISSUER is its own address as the world sees it."""

    signing_keys_secret: FernetKeys = Field(
        description="encrypts the signing keys in the database: 32 random bytes in URL-safe base64; "
        "several with commas: the first encrypts, all decrypt"
    )
    oauth_clients: Json[list[Client]] = Field(default=[], description="applications that may ask for tokens, as JSON")
    access_token_seconds: int = Field(default=300, ge=30, le=3600)
    refresh_token_days: int = Field(default=14, ge=1, le=90)
    session_days: int = Field(
        default=90, ge=1, le=3650, description="days after a sign-in when its refresh tokens end, however often renewed"
    )
    signing_key_days: float = Field(default=30, gt=0, le=365, description="how long one key signs")
    signing_key_ahead_seconds: int = Field(
        default=180, ge=1, le=86_400, description="a key is published so long before it signs; verifiers fetch sooner"
    )

    @model_validator(mode="after")
    def _clients_apart(self) -> Self:
        """Its identity tokens, which are for it alone, would be good for the services."""
        if any(client.id == self.auth_audience for client in self.oauth_clients):
            raise ValueError(f"a client has the id {self.auth_audience}, which is AUTH_AUDIENCE: give it another id")
        return self

    @property
    def key_set_max_age(self) -> float:
        """Seconds after which verifiers fetch the published keys again: several times before a new one signs."""
        return self.signing_key_ahead_seconds / 4

    @property
    def rotation(self) -> Rotation:
        return Rotation(
            ahead=timedelta(seconds=self.signing_key_ahead_seconds),
            overlap=timedelta(seconds=self.access_token_seconds + self.auth_leeway_seconds + 60),
            period=timedelta(days=self.signing_key_days),
        )
