"""Ask, then commit: two systems in one request. Who dies between the lines leaves a reservation without an order."""

from typing import Any

from sqlalchemy.orm import Session


def place(order: Any, inventory: Any, session: Session) -> None:
    inventory.Reserve(order_id=str(order.id), sku=order.item, quantity=order.quantity)
    session.add(order)
    session.commit()
