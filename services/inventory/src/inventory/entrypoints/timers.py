"""What this service does without being asked."""

from sqlalchemy.orm import Session

from slipway_chassis.timers import Timer

from ..adapters.repositories import repositories
from ..application import use_cases
from ..settings import InventorySettings


def add_missing_items(session: Session, settings: InventorySettings) -> None:
    items = repositories(session).items
    for item in settings.catalogue:
        if items.get(item.sku) is None:
            use_cases.put_item(items, **item.model_dump())


TIMERS = [Timer(name="catalogue", seconds=60, run=add_missing_items)]
