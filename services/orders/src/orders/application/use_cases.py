from datetime import datetime
from uuid import UUID

from ..domain.model import Customer, Order
from ..errors import OrderNotFound
from .consumed_events import UserRegistered
from .ports import Customers, Orders


def place_order(
    orders: Orders,
    *,
    order_id: UUID,
    user_id: UUID,
    item: str,
    quantity: int,
    unit_price_cents: int,
    now: datetime,
) -> Order:
    order = Order.place(
        order_id=order_id,
        user_id=user_id,
        item=item,
        quantity=quantity,
        unit_price_cents=unit_price_cents,
        now=now,
    )
    orders.add(order)
    return order


def cancel_order(orders: Orders, order_id: UUID, *, now: datetime) -> Order:
    order = orders.get(order_id, for_change=True)
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    order.cancel(now=now)
    return order


def find_order(orders: Orders, customers: Customers, order_id: UUID) -> tuple[Order, Customer | None]:
    """The order, and its customer as far as events told of one."""
    order = orders.get(order_id)
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    return order, customers.get(order.user_id)


def remember_customer(customers: Customers, event: UserRegistered) -> None:
    customers.put(Customer(user_id=event.user_id, name=event.name))
