"""The home page: three parts, each of which may be missing.

>>> home = Home(missing=(Part.INVENTORY,))
>>> home.partial
True
>>> home.notice
'Some of this page is missing at the moment: the items for sale.'
"""

from dataclasses import dataclass
from enum import StrEnum

from .catalogue import Item, ListedOrder, User


class Part(StrEnum):
    """The parts by the name that the API gives them."""

    INVENTORY = "inventory"
    ORDERS = "orders"
    USER = "user"


_IN_WORDS = {
    Part.INVENTORY: "the items for sale",
    Part.ORDERS: "your last orders",
    Part.USER: "your account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """``items`` and ``orders`` are empty, and ``user`` is None, also where nobody asked for them: ``missing``
    names what was asked for and did not come.
    """

    items: tuple[Item, ...] = ()
    orders: tuple[ListedOrder, ...] = ()
    user: User | None = None
    missing: tuple[Part, ...] = ()

    @property
    def partial(self) -> bool:
        return bool(self.missing)

    @property
    def notice(self) -> str:
        """What is missing, in words for a visitor; empty when nothing is."""
        if not self.missing:
            return ""
        *others, last = (_IN_WORDS[part] for part in self.missing)
        listed = f"{', '.join(others)} and {last}" if others else last
        return f"Some of this page is missing at the moment: {listed}."
