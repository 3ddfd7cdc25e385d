from datetime import datetime
from uuid import UUID

from ..domain.model import Customer, Order
from ..errors import NotYours, OrderNotFound
from .consumed_events import UserRegistered
from .ports import Customers, Orders, PaymentProvider


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


def pay_order(
    orders: Orders, provider: PaymentProvider, order_id: UUID, *, card: str, of_user: UUID | None, now: datetime
) -> Order:
    """Charges the card while the order is locked. Killed between the charge and the commit, the order is charged
    and still confirmed: paying again charges nothing more, and if nobody does, its time-out gives the money back.
    """
    order = order_of(orders, order_id, of_user=of_user, for_change=True)
    order.require_payable()
    provider.charge(order.id, order.total_cents, card)
    order.pay(now=now)
    return order


def cancel_order(orders: Orders, order_id: UUID, *, of_user: UUID | None, now: datetime) -> Order:
    """What it may have cost is given back behind the answer, until the provider has confirmed it: see ``refund``."""
    order = order_of(orders, order_id, of_user=of_user, for_change=True)
    order.cancel("by the customer", now=now)
    return order


def order_of(orders: Orders, order_id: UUID, *, of_user: UUID | None, for_change: bool = False) -> Order:
    """The order, if it is this user's; ``of_user`` None: anybody's."""
    order = orders.get(order_id, for_change=for_change)
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    if of_user is not None and order.user_id != of_user:
        raise NotYours(f"The order {order_id} is somebody else's.")
    return order


def find_order(
    orders: Orders, customers: Customers, order_id: UUID, *, of_user: UUID | None
) -> tuple[Order, Customer | None]:
    """The order, and its customer as far as events told of one."""
    order = order_of(orders, order_id, of_user=of_user)
    return order, customers.get(order.user_id)


def remember_customer(customers: Customers, event: UserRegistered) -> None:
    customers.put(Customer(user_id=event.user_id, name=event.name))
