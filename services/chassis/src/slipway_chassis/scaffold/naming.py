"""What a service and its aggregate may be called, and what of the templates is called after them."""

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ..errors import ConfigurationError

NAME = re.compile(r"[a-z][a-z0-9]{1,29}")
# Names that a generated module imports, or a field beside the one that is called after the service.
TAKEN = {"column", "integer", "next", "protocol", "self", "session", "table", "text"}


@dataclass(frozen=True, slots=True)
class Names:
    """``aggregate``: what the service keeps, in the singular."""

    service: str
    aggregate: str

    def words(self) -> dict[str, str]:
        """Placeholder -> word, of file names and contents."""
        return {
            "__service__": self.service,
            "__aggregate__": self.aggregate,
            "__Aggregate__": self.aggregate.capitalize(),
            "__Aggregates__": f"{self.aggregate.capitalize()}s",
        }


def named(service: str, aggregate: str, root: Path) -> Names:
    """Without an aggregate it is the service's name without its plural s.

    Raises:
        ConfigurationError: one of them is no name, or is Python's, a generated module's or another package's.
    """
    aggregate = aggregate or (service.removesuffix("s") if len(service) > 2 else service)  # noqa: PLR2004 # "s" alone
    for word, what in ((service, "NAME"), (aggregate, "--aggregate")):
        if not NAME.fullmatch(word) or keyword.iskeyword(word) or word in sys.stdlib_module_names:
            raise ConfigurationError(
                f"{what} {word!r} can't be used: 2 to 30 small letters and digits, a letter first, and no word of "
                "Python or of its standard library"
            )
        if word in TAKEN or hasattr(BaseModel, word):
            raise ConfigurationError(f"{what} {word!r} can't be used: the code around it has another {word}")
    _require_no_other_package(service, root)
    return Names(service, aggregate)


def _require_no_other_package(service: str, root: Path) -> None:
    """It would be hidden, for whoever imports it."""
    found = importlib.util.find_spec(service)
    places = [*(found.submodule_search_locations or []), found.origin] if found else []
    where = next((place for place in places if place), None)
    if where and not Path(where).resolve().is_relative_to(root.resolve()):
        raise ConfigurationError(f"NAME {service!r} can't be used: an installed package has it ({where})")
