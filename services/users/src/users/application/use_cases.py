from datetime import datetime
from uuid import UUID

from ..domain.model import ListedOrder, User
from ..errors import OrderNotListed, UserNotFound
from .consumed_events import OrderCancelled, OrderPlaced
from .ports import OrderLists, Users


def register_user(users: Users, *, user_id: UUID, name: str, email: str, now: datetime) -> User:
    user = User.register(user_id=user_id, name=name, email=email, now=now)
    users.add(user)
    return user


def find_user(users: Users, user_id: UUID) -> User:
    user = users.get(user_id)
    if user is None:
        raise UserNotFound(f"There is no user {user_id}.")
    return user


def list_orders(users: Users, order_lists: OrderLists, user_id: UUID, *, limit: int) -> list[ListedOrder]:
    find_user(users, user_id)
    return order_lists.of_user(user_id, limit=limit)


def list_placed_order(order_lists: OrderLists, event: OrderPlaced, *, version: int) -> None:
    """Puts an order on its user's list. The user may be unknown here: the list is what events told."""
    order_lists.put(
        ListedOrder(
            order_id=event.order_id,
            user_id=event.user_id,
            item=event.item,
            quantity=event.quantity,
            total_cents=event.total_cents,
            placed_at=event.placed_at,
            status="placed",
            version=version,
        )
    )


def list_cancelled_order(order_lists: OrderLists, event: OrderCancelled, *, version: int) -> None:
    """Raises OrderNotListed when nothing was told of the order yet: it is tried again, and never dropped."""
    if not order_lists.cancel(event.order_id, version=version):
        raise OrderNotListed(f"The order {event.order_id} was cancelled and is not listed.")
