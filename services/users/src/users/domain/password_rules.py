"""Passwords that are guessed first: without its decoration one must be no word of the list (NIST SP 800-63B).

>>> [is_guessable(one) for one in ("password12", "1234567890", "aaaaaaaaaa", "Qwertz!2024", "correct horse battery")]
[True, True, True, True, False]
>>> is_guessable("ada.lovelace1815", own_words=["ada.lovelace@example.org", "Ada Lovelace"])
True
"""

import re
from collections.abc import Collection

FEWEST_CHARACTERS = 4  # different ones
LEET = str.maketrans("013457@$!", "oieastasi")
_WORDS = """
password passwort passwd passphrase pass letmein letmeinnow welcome willkommen hello hallo admin administrator root
user guest master superuser secret geheim login changeme changeit default test testing tester demo sample temp
temporary qwerty qwertyuiop qwertz qwertzuiop azerty azertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm qazwsx
qazwsxedc onetwothree abc abcd abcde abcdef abcdefg abcdefgh abcdefghij abcabc iloveyou iloveu loveyou lovely love
princess prinzessin sunshine superman batman spiderman pokemon starwars dragon monkey football fussball soccer
baseball basketball hockey liverpool arsenal chelsea barcelona juventus realmadrid manchester michael jennifer jessica
jordan ashley daniel thomas charlie andrew matthew anthony joshua robert william george thunder shadow hunter ranger
killer mustang corvette ferrari porsche mercedes harley computer internet samsung google facebook linkedin microsoft
windows apple iphone android nintendo playstation minecraft fortnite whatever trustno trustnoone nothing nobody
freedom forever flower blossom butterfly chocolate cheese cookie banana orange summer sommer winter spring autumn
january february march april june july august september october november december monday tuesday wednesday thursday
friday saturday sunday money dollar bitcoin business company office server service database production shop slipway
jesus christ angel heaven blessed family mother father brother sister
"""
WORDS = frozenset(_WORDS.split())
ROWS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_DECORATION = re.compile(r"^[^a-z]+|[^a-z]+$")


def is_guessable(password: str, *, own_words: Collection[str] = ()) -> bool:
    """``own_words`` are the user's name and address: the password is made of none of them."""
    plain = password.lower()
    if len(set(plain)) < FEWEST_CHARACTERS or plain.isdecimal() or _is_run(plain) or _is_repeated(plain):
        return True
    if not plain.isascii():
        return False  # the lists know no other letters
    words = WORDS | {part for word in own_words for part in _parts(word.lower())}
    return any(_consists_of(core, words) for core in (_DECORATION.sub("", plain), _core_of_leet(plain)))


def _core_of_leet(plain: str) -> str:
    return _DECORATION.sub("", re.sub(r"[^a-z0-9@$!]+$|[0-9!]+$", "", plain).translate(LEET))


def _consists_of(core: str, words: Collection[str]) -> bool:
    """One word, perhaps twice, or two of them, whatever stands between."""
    letters = re.sub(r"[^a-z]", "", core)
    return any(letters == word or (letters.startswith(word) and letters[len(word) :] in words) for word in words)


def _parts(word: str) -> list[str]:
    parts = [part for part in re.split(r"[^a-z]+", word.partition("@")[0]) if len(part) > 2]  # noqa: PLR2004 # initials
    return [*parts, "".join(parts)] if parts else []


def _is_run(plain: str) -> bool:
    """Along the alphabet, the digits or a row of keys, either way."""
    return any(plain in row or plain[::-1] in row for row in ROWS)


def _is_repeated(plain: str) -> bool:
    """A short piece again and again."""
    return any(plain == (plain[:size] * len(plain))[: len(plain)] for size in range(1, 5))
