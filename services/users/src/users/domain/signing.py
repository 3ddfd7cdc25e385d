"""When a key signs tokens and how long it is published: the rotation that nobody notices.

A key is published some time before it signs, so that every verifier has fetched it by then, and for some
time after its last signature, until the tokens it signed have expired. It stops when its successor begins.

>>> from datetime import UTC, datetime, timedelta
>>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
>>> rotation = Rotation(ahead=timedelta(minutes=2), overlap=timedelta(minutes=6), period=timedelta(days=30))
>>> old, new = SigningKey("old", noon), SigningKey("new", noon + timedelta(minutes=2))
>>> [rotation.signing([old, new], noon + timedelta(minutes=m)).kid for m in (1, 3)]
['old', 'new']
>>> [[key.kid for key in rotation.published([old, new], noon + timedelta(minutes=m))] for m in (1, 7, 9)]
[['old', 'new'], ['old', 'new'], ['new']]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from ..errors import NoSigningKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """``kid`` names it in tokens and in the published set."""

    kid: str
    signs_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """``ahead``: published before it signs. ``overlap``: published after its last signature. ``period``: how long
    one key signs.
    """

    ahead: timedelta
    overlap: timedelta
    period: timedelta

    def signing(self, keys: Sequence[SigningKey], now: datetime) -> SigningKey:
        """The key that signs now; NoSigningKey when none has begun."""
        begun = [key for key in keys if key.signs_from <= now]
        if not begun:
            raise NoSigningKey("no signing key has begun to sign")
        return max(begun, key=_turn)

    def published(self, keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
        """What verifiers must know: keys to come, the one that signs, and those whose tokens may still live."""
        ordered = sorted(keys, key=_turn)
        kept = [key for key, successor in pairwise(ordered) if now < successor.signs_from + self.overlap]
        return kept + ordered[-1:]

    def due(self, keys: Sequence[SigningKey], now: datetime) -> bool:
        """Whether it is time to make the next key."""
        return not keys or now >= max(key.signs_from for key in keys) + self.period - self.ahead

    def starts(self, keys: Sequence[SigningKey], now: datetime, *, at_once: bool) -> datetime:
        """When a key that is made now begins to sign: the first one, and in an emergency, at once."""
        return now if at_once or not keys else now + self.ahead


def _turn(key: SigningKey) -> tuple[datetime, str]:
    """Two keys may begin at the same moment: then everybody must choose the same one."""
    return key.signs_from, key.kid
