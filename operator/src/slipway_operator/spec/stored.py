"""What an operator of another release has stored: all that can be read of it is kept.

After an upgrade is taken back, a status has words, sizes and shapes that this release does not know. Were one of them
to make the whole unreadable, the version to go back to and the one that is held would be forgotten.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .hashing import UNKNOWN

ModelT = TypeVar("ModelT", bound=BaseModel)
Place = tuple[int | str, ...]

# Where more is lost by leaving a part out than by taking the careful word for it.
_STAND_INS: Mapping[Place, str] = {  # by names alone, without the numbers of items
    ("heldVersion", "reason"): "Unknown",
    ("heldVersion", "fingerprint"): UNKNOWN,
    ("heldVersion", "at"): "1970-01-01T00:00:00Z",
    # The kind that gates and people are asked for.
    ("unaccepted", "release", "kind"): "Release",
    # Of a plan: neither forward nor back until it says more.
    ("services", "order"): "Hold",
}


def read_stored(model: type[ModelT], given: object) -> ModelT:
    """The model without the parts that can't be read. Every field of it must have a default."""
    kept: Any = copy.deepcopy(given) if isinstance(given, Mapping) else {}
    while True:
        try:
            return model.model_validate(kept)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
        # From the last item of a list to the first, so that the numbers of the others stay right.
        found.sort(key=lambda one: [str(part).zfill(9) for part in one["loc"]], reverse=True)
        gone: set[Place] = set()
        mended = [_mend(kept, each, gone) for each in found]
        if not any(mended):
            return model()


def _mend(kept: Any, error: Mapping[str, Any], gone: set[Place]) -> bool:
    """Whether anything of it was left out, or replaced. ``gone``: what was left out before."""
    place = error["loc"]
    if not place or place[:-1] in gone:
        return False
    names = tuple(each for each in place if isinstance(each, str))
    around, value = _part(kept, place[:-1]), _part(kept, place)
    if names in _STAND_INS and isinstance(around, dict):
        around[names[-1]] = _STAND_INS[names]
    elif value is not _NOTHING and error["type"] == "too_long" and isinstance(value, list):
        del value[: -error["ctx"]["max_length"]]  # the newest come last
    elif value is not _NOTHING:
        del around[place[-1]]
    elif around is not _NOTHING and place[:-1]:  # what can't be without it
        del _part(kept, place[:-2])[place[-2]]
        gone.add(place[:-1])
    else:
        return False
    return True


_NOTHING = object()


def _part(kept: Any, place: Sequence[int | str]) -> Any:
    for key in place:
        try:
            kept = kept[key]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return kept
