import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from slipway_chassis.database import Database

from ..application.ports import OrderLists, SignIns, Users
from ..domain.model import ListedOrder, User
from ..domain.sign_in_limits import FIRST_PAUSE, LONGEST_PAUSE, Limit
from ..errors import EmailTaken
from .tables import listed_orders
from .tables import sign_in_failures as failures
from .tables import users as users_table
from .token_families import SqlTokenFamilies


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


class _MustWait(Exception):
    """An attempt came too soon: the transaction in which it was counted ends."""


class SqlPasswordAttempts:
    """By hashes of what they are counted for, whether there is such a user or not: nobody is told who has an account.
    Each attempt is counted in a transaction of its own, which holds no lock while the password is checked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, limits: Sequence[Limit], *, now: datetime) -> bool:
        try:
            with self._database.transaction() as session:
                for limit in _ordered(limits):
                    _count(session, limit, now)
        except _MustWait:
            return False
        return True

    def succeeded(self, limits: Sequence[Limit]) -> None:
        with self._database.transaction() as session:
            for limit in _ordered(limits):
                this = failures.c.hash == _hash(limit.subject)
                if limit.of_one_owner:
                    session.execute(delete(failures).where(this))
                else:
                    session.execute(update(failures).where(this).values(failed=failures.c.failed // 2))


def _ordered(limits: Sequence[Limit]) -> list[Limit]:
    """In one order everywhere: no two wait for each other."""
    return sorted(limits, key=lambda one: one.subject)


def _count(session: Session, limit: Limit, now: datetime) -> None:
    """One more, or _MustWait. The pause doubles, as ``sign_in_limits.pause`` says."""
    beyond = func.least(failures.c.failed - limit.free_attempts, 20)
    seconds = func.least(FIRST_PAUSE.total_seconds() * func.power(2, beyond), LONGEST_PAUSE.total_seconds())
    waited = failures.c.last_at + func.make_interval(0, 0, 0, 0, 0, 0, seconds) <= now
    first = insert(failures).values(hash=_hash(limit.subject), failed=1, last_at=now)
    again = first.on_conflict_do_update(
        index_elements=["hash"],
        set_={"failed": failures.c.failed + 1, "last_at": now},
        where=or_(failures.c.failed < limit.free_attempts, waited),
    )
    if session.execute(again.returning(failures.c.hash)).one_or_none() is None:
        raise _MustWait


def _hash(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Repositories:
    users: Users
    order_lists: OrderLists
    sign_ins: SignIns


def repositories(session: Session) -> Repositories:
    """Everything this service stores, in one transaction."""
    return Repositories(SqlUsers(session), SqlOrderLists(session), SqlTokenFamilies(session))
