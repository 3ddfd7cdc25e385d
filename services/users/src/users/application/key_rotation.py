"""Signing keys come and go: on schedule, on demand, and at once when one was stolen."""

from datetime import datetime

from ..domain.signing import Rotation, SigningKey
from ..errors import UnknownKey
from .ports import SigningKeys


def keep_fresh(keys: SigningKeys, rotation: Rotation, *, now: datetime) -> SigningKey | None:
    """Makes the next key when it is due, and removes those whose tokens have all expired."""
    keys.lock()
    known = keys.all()
    made = keys.make(rotation.starts(known, now, at_once=False)) if rotation.due(known, now) else None
    if known:
        published = {key.kid for key in rotation.published(known, now)}
        for key in known:
            if key.kid not in published:
                keys.remove(key.kid)
    return made


def rotate(keys: SigningKeys, rotation: Rotation, *, now: datetime, at_once: bool = False) -> SigningKey:
    """A new key, now. ``at_once``: it signs before all verifiers know it; for when the present one was stolen."""
    keys.lock()
    return keys.make(rotation.starts(keys.all(), now, at_once=at_once))


def revoke(keys: SigningKeys, kid: str) -> None:
    """Whatever the key signed is refused as soon as verifiers have fetched the keys again."""
    keys.lock()
    if not keys.remove(kid):
        raise UnknownKey(f"There is no signing key {kid}.")
