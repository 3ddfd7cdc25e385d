"""Signing keys in the database, private parts encrypted with a secret that the database never sees."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from cryptography.fernet import InvalidToken
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import SecretStr
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from slipway_chassis.auth.keys import Fetch
from slipway_chassis.auth.sealing import crypt_of
from slipway_chassis.database import Database
from slipway_chassis.errors import ConfigurationError, DatabaseUnavailable, KeysUnavailable

from ..application import key_rotation
from ..domain.signing import Rotation, SigningKey
from ..settings import UsersSettings
from .tables import signing_keys

ALGORITHM = "ES256"
CHOSEN = "users.signing_pair"  # in session.info


def _new_pair() -> ECKey:
    """Named by its thumbprint (RFC 7638), which in a shell is never taken for an option."""
    while True:
        pair = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        if not str(pair.kid).startswith("-"):
            return pair


class SqlSigningKeys:
    def __init__(self, session: Session, secret: SecretStr) -> None:
        self._session = session
        self._crypt = crypt_of(secret)

    def lock(self) -> None:
        self._session.execute(text("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE"))

    def all(self) -> list[SigningKey]:
        rows = self._session.execute(select(signing_keys.c.kid, signing_keys.c.signs_from)).all()
        return [SigningKey(row.kid, row.signs_from) for row in rows]

    def make(self, signs_from: datetime) -> SigningKey:
        pair = _new_pair()
        made = SigningKey(str(pair.kid), signs_from)
        self._session.execute(
            insert(signing_keys).values(
                kid=made.kid,
                signs_from=signs_from,
                public=json.dumps(pair.as_dict(private=False)),
                private=self._crypt.encrypt(json.dumps(pair.as_dict(private=True)).encode()),
            )
        )
        return made

    def remove(self, kid: str) -> bool:
        removed = delete(signing_keys).where(signing_keys.c.kid == kid).returning(signing_keys.c.kid)
        return self._session.execute(removed).one_or_none() is not None

    def readable(self, kid: str) -> bool:
        try:
            self.pair(kid)
        except ConfigurationError:
            return False
        return True

    def pair(self, kid: str) -> ECKey:
        """The whole key, to sign with."""
        encrypted = self._session.scalar(select(signing_keys.c.private).where(signing_keys.c.kid == kid))
        try:
            return ECKey.import_key(json.loads(self._crypt.decrypt(encrypted or b"")))
        except InvalidToken:
            raise ConfigurationError(
                "SIGNING_KEYS_SECRET does not decrypt the signing keys: give back the secret they were encrypted "
                "with, behind the new one: NEW,OLD"
            ) from None

    def published(self, rotation: Rotation, now: datetime) -> list[dict[str, object]]:
        """The public parts of the keys that verifiers must know."""
        kids = [key.kid for key in rotation.published(self.all(), now)]
        rows = self._session.scalars(select(signing_keys.c.public).where(signing_keys.c.kid.in_(kids)))
        return [json.loads(row) for row in rows]


def published_keys(database: Database, settings: UsersSettings) -> Fetch:
    """This service trusts its own keys as it finds them in its database, and makes the first one."""

    def fetch() -> tuple[bytes, float | None]:
        try:
            with database.transaction() as session:
                keys = SqlSigningKeys(session, settings.signing_keys_secret)
                if not keys.all():
                    key_rotation.keep_fresh(keys, settings.rotation, now=datetime.now(UTC))
                published = keys.published(settings.rotation, datetime.now(UTC))
        except (DatabaseUnavailable, ProgrammingError) as error:  # away, or not migrated yet
            raise KeysUnavailable(f"the signing keys can't be read: {type(error).__name__}") from error
        return json.dumps({"keys": published}).encode(), settings.key_set_max_age

    return fetch


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs tokens with the key whose turn it is; one per process, remembers the key it decrypted last."""

    settings: UsersSettings
    _last: dict[str, ECKey]

    @staticmethod
    def of(settings: UsersSettings) -> "Signer":
        return Signer(settings, {})

    def sign(self, session: Session, claims: dict[str, object], *, kind: str) -> str:
        """``kind`` is the token's ``typ``."""
        pair = self.pair(session)
        return jwt.encode({"alg": ALGORITHM, "kid": pair.kid, "typ": kind}, claims, pair, [ALGORITHM])

    def access_token(
        self, session: Session, *, subject: str, client_id: str, scope: str, now: datetime, lifetime: int
    ) -> str:
        """A JWT as RFC 9068 has it; ``lifetime`` in seconds."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.settings.auth_issuer,
            "sub": subject,
            "aud": self.settings.auth_audience,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": uuid4().hex,
            "client_id": client_id,
            "scope": scope,
        }
        return self.sign(session, claims, kind="at+jwt")

    def pair(self, session: Session) -> ECKey:
        chosen = session.info.get(CHOSEN)
        if chosen is not None:  # one key for all that is signed in a transaction, though the turn may change meanwhile
            return chosen  # type: ignore[no-any-return]
        keys = SqlSigningKeys(session, self.settings.signing_keys_secret)
        kid = self.settings.rotation.signing(keys.all(), datetime.now(UTC)).kid
        pair = self._last.get(kid)
        if pair is None:
            pair = keys.pair(kid)
            self._last.clear()
            self._last[kid] = pair
        session.info[CHOSEN] = pair
        return pair
