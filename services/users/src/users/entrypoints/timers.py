"""What this service does without being asked."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from slipway_chassis.timers import Timer

from ..adapters.authorization import forget_expired
from ..adapters.signing_keys import SqlSigningKeys
from ..application import key_rotation
from ..settings import UsersSettings


def keep_keys_fresh(session: Session, settings: UsersSettings) -> None:
    keys = SqlSigningKeys(session, settings.signing_keys_secret)
    key_rotation.keep_fresh(keys, settings.rotation, now=datetime.now(UTC))


def forget_credentials(session: Session, _settings: UsersSettings) -> None:
    forget_expired(session)


TIMERS = [
    Timer(name="signing keys", seconds=30, run=keep_keys_fresh),
    Timer(name="expired credentials", seconds=60, run=forget_credentials),
]
