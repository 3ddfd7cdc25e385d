from datetime import datetime
from uuid import UUID

from ..domain.model import ListedOrder, User, same_case
from ..errors import OrderNotListed, UserNotFound, WrongPassword
from .consumed_events import OrderChanged, OrderPlaced
from .ports import OrderLists, Passwords, SignInFailures, Users


def register_user(
    users: Users, passwords: Passwords, *, user_id: UUID, name: str, email: str, password: str | None, now: datetime
) -> User:
    hashed = passwords.hash(password) if password is not None else None
    user = User.register(user_id=user_id, name=name, email=email, password_hash=hashed, now=now)
    users.add(user)
    return user


def sign_in(
    users: Users, passwords: Passwords, failures: SignInFailures, *, email: str, password: str, now: datetime
) -> User:
    """Raises WrongPassword, also where there is no such user, or where too many attempts failed a moment ago: the
    answer tells nobody which of them it was.
    """
    email = same_case(email)
    user = users.with_email(email)
    right = passwords.matches(password, user.password_hash if user else None)
    if failures.blocked(email, now=now):
        raise WrongPassword("Email or password is wrong, or it was wrong too often: then wait some minutes.")
    if user is None or not right:
        failures.note(email, now=now)
        raise WrongPassword("Email or password is wrong, or it was wrong too often: then wait some minutes.")
    failures.forget(email)
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


def mark_listed_order(order_lists: OrderLists, event: OrderChanged, status: str, *, version: int) -> None:
    """Raises OrderNotListed when nothing was told of the order yet: it is tried again, and never dropped."""
    if not order_lists.mark(event.order_id, status, version=version):
        raise OrderNotListed(f"The order {event.order_id} is {status} and is not listed.")
