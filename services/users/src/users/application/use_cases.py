from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ..domain.model import ListedOrder, User, same_case
from ..domain.password_rules import is_guessable
from ..domain.sign_in_limits import Limit
from ..errors import OrderNotListed, UserNotFound, WeakPassword, WrongPassword
from .consumed_events import OrderChanged, OrderPlaced
from .ports import OrderLists, PasswordAttempts, Passwords, SignIns, Users

WRONG = "Email or password is wrong, or it was wrong too often: then wait some minutes."
WEAK = "This password is among the first that are guessed. Choose another one, for example four words of your own."


def register_user(
    users: Users, passwords: Passwords, *, user_id: UUID, name: str, email: str, password: str | None, now: datetime
) -> User:
    """Raises WeakPassword, and EmailTaken."""
    if password is not None and is_guessable(password, own_words=[name, email]):
        raise WeakPassword(WEAK)
    hashed = passwords.hash(password) if password is not None else None
    user = User.register(user_id=user_id, name=name, email=email, password_hash=hashed, now=now)
    users.add(user)
    return user


def sign_in(
    users: Users,
    passwords: Passwords,
    attempts: PasswordAttempts,
    *,
    email: str,
    password: str,
    limits: Sequence[Limit],
    now: datetime,
) -> User:
    """Raises WrongPassword, also where there is no such user, or where too many attempts failed a moment ago: the
    answer tells nobody which of them it was. The attempt counts under ``limits`` before it is looked at.
    """
    if not attempts.begin(limits, now=now):
        raise WrongPassword(WRONG)
    user = users.with_email(same_case(email))
    if not passwords.matches(password, user.password_hash if user else None) or user is None:
        raise WrongPassword(WRONG)
    attempts.succeeded(limits)
    return user


def change_password(
    users: Users,
    passwords: Passwords,
    attempts: PasswordAttempts,
    sign_ins: SignIns,
    user_id: UUID,
    *,
    current: str,
    new: str,
    now: datetime,
) -> None:
    """Ends all sign-ins, this one included: whoever knew the former password is out. Raises WrongPassword and
    WeakPassword.
    """
    user = find_user(users, user_id)
    limits = [Limit(f"password of {user_id}", 5, of_one_owner=True)]
    if not attempts.begin(limits, now=now) or not passwords.matches(current, user.password_hash):
        raise WrongPassword("The current password is wrong, or it was wrong too often: then wait some minutes.")
    attempts.succeeded(limits)
    if is_guessable(new, own_words=[user.name, user.email]):
        raise WeakPassword(WEAK)
    user.change_password(passwords.hash(new))
    sign_ins.end_all(user_id)


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
