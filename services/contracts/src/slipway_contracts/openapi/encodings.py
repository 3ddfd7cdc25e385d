"""How parts of forms are written: ``encoding`` of multipart bodies and of URL-encoded ones. Noticed, not understood."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding
from ..schema import Undecided
from .description import Pair

KEYWORDS = ("encoding", "prefixEncoding", "itemEncoding")
FORMS = ("multipart/", "application/x-www-form-urlencoded")


def compare_encodings(
    pair: Pair, name: str, old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str | int, ...]
) -> Iterator[Finding]:
    """``name``: the media type; for others than forms the keywords mean nothing (OpenAPI 3.1, 4.8.14)."""
    if not name.startswith(FORMS):
        return
    for keyword in KEYWORDS:
        before, after = old.get(keyword), new.get(keyword)
        if isinstance(before, Mapping) and isinstance(after, Mapping) and keyword == "encoding":
            for part in sorted(map(str, before.keys() & after.keys())):
                if canonical(before[part]) != canonical(after[part]):
                    yield _other(pair, part, (*at, keyword, part))
            changed = sorted(map(str, (before.keys() ^ after.keys()) & _parts(pair, old)))
            yield from (_other(pair, part, (*at, keyword, part)) for part in changed)
        elif canonical(before) != canonical(after):
            yield _other(pair, keyword, (*at, keyword))


def _parts(pair: Pair, media_type: Mapping[str, Any]) -> set[str]:
    """The form's parts before: how a new one is written changes nothing for those who send the others."""
    try:
        schema = pair.old.description.schemas.plain(media_type.get("schema", True))
    except Undecided:
        return set()
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return set(found) if isinstance(found, Mapping) else set()


def _other(pair: Pair, part: str, at: tuple[str | int, ...]) -> Finding:
    return pair.unread(at, Undecided(f"{part} of the form is written in another way"))
