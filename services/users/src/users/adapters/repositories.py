import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..application.ports import OrderLists, SignInFailures, Users
from ..domain.model import ListedOrder, User
from ..errors import EmailTaken
from .tables import listed_orders
from .tables import sign_in_failures as failures
from .tables import users as users_table

FREE_ATTEMPTS = 5  # people mistype
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=15)


class SqlUsers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, user: User) -> None:
        self._session.add(user)
        try:
            self._session.flush()
        except IntegrityError as error:
            raise EmailTaken(f"There is a user with the email {user.email} already.") from error

    def get(self, user_id: UUID) -> User | None:
        return self._session.get(User, user_id)

    def with_email(self, email: str) -> User | None:
        return self._session.scalars(select(User).where(users_table.c.email == email)).one_or_none()

    def page(self, *, after: UUID | None, limit: int) -> list[User]:
        statement = select(User).order_by(users_table.c.id).limit(limit)
        if after is not None:
            statement = statement.where(users_table.c.id > after)
        return list(self._session.scalars(statement))


class SqlOrderLists:
    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, order: ListedOrder) -> None:
        values = asdict(order)
        self._session.execute(
            insert(listed_orders)
            .values(values)
            .on_conflict_do_update(
                index_elements=["order_id"], set_=values, where=listed_orders.c.version < order.version
            )
        )

    def mark(self, order_id: UUID, status: str, *, version: int) -> bool:
        this = listed_orders.c.order_id == order_id
        self._session.execute(
            update(listed_orders).where(this, listed_orders.c.version < version).values(status=status, version=version)
        )
        return self._session.scalar(select(this).where(this)) is not None

    def of_user(self, user_id: UUID, *, limit: int) -> list[ListedOrder]:
        statement = (
            select(listed_orders)
            .where(listed_orders.c.user_id == user_id)
            .order_by(listed_orders.c.placed_at.desc(), listed_orders.c.order_id)
            .limit(limit)
        )
        return [ListedOrder(**row) for row in self._session.execute(statement).mappings()]


class SqlSignInFailures:
    """By a hash of the address, whether there is such a user or not: so it tells nobody who has an account."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def blocked(self, email: str, *, now: datetime) -> bool:
        row = self._session.execute(select(failures).where(failures.c.hash == _hash(email))).one_or_none()
        if row is None or row.failed < FREE_ATTEMPTS:
            return False
        pause = min(FIRST_PAUSE * 2 ** min(row.failed - FREE_ATTEMPTS, 20), LONGEST_PAUSE)
        return bool(now < row.last_at + pause)

    def note(self, email: str, *, now: datetime) -> None:
        first = insert(failures).values(hash=_hash(email), failed=1, last_at=now)
        again = {"failed": failures.c.failed + 1, "last_at": now}
        self._session.execute(first.on_conflict_do_update(index_elements=["hash"], set_=again))

    def forget(self, email: str) -> None:
        self._session.execute(delete(failures).where(failures.c.hash == _hash(email)))


def _hash(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Repositories:
    users: Users
    order_lists: OrderLists
    sign_in_failures: SignInFailures


def repositories(session: Session) -> Repositories:
    """Everything this service stores, in one transaction."""
    return Repositories(SqlUsers(session), SqlOrderLists(session), SqlSignInFailures(session))
