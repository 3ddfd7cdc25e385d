"""Signing keys come and go: on schedule, on demand, and at once when one was stolen."""

from datetime import datetime

from ..domain.signing import Rotation, SigningKey
from ..errors import UnknownKey
from .ports import SigningKeys


def keep_fresh(keys: SigningKeys, rotation: Rotation, *, now: datetime) -> SigningKey | None:
    """Makes the next key when it is due, and removes those whose tokens have all expired."""
    keys.lock()
    known = keys.all()
    # A secret was lost: nothing can be signed with the key, and waiting would not bring the secret back.
    lost = bool(known) and not keys.readable(rotation.signing(known, now).kid)
    made = None
    if lost or rotation.due(known, now):
        made = keys.make(rotation.starts(known, now, at_once=lost))
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


def revoke(keys: SigningKeys, rotation: Rotation, kid: str, *, now: datetime) -> SigningKey | None:
    """Services refuse whatever the key signed as soon as they have fetched the keys again; the gateway may accept
    tokens it has seen until they expire. If the key was signing, another one begins at once, and is returned: an
    older key might be the stolen one, and without any nobody could sign in.
    """
    keys.lock()
    begun = [key for key in keys.all() if key.signs_from <= now]
    signing = rotation.signing(begun, now).kid if begun else kid
    if not keys.remove(kid):
        raise UnknownKey(f"There is no signing key {kid}.")
    return keys.make(now) if signing == kid else None
