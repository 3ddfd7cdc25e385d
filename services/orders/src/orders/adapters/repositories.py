from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ..application.ports import Customers, Orders
from ..domain.model import Customer, Order, OrderStatus
from .tables import customers
from .tables import orders as orders_table


class SqlOrders:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, order: Order) -> None:
        self._session.add(order)

    def get(self, order_id: UUID, *, for_change: bool = False) -> Order | None:
        return self._session.get(Order, order_id, with_for_update=for_change)

    def page(self, *, of_user: UUID | None, after: UUID | None, limit: int) -> list[Order]:
        statement = select(Order).order_by(orders_table.c.id).limit(limit)
        if of_user is not None:
            statement = statement.where(orders_table.c.user_id == of_user)
        if after is not None:
            statement = statement.where(orders_table.c.id > after)
        return list(self._session.scalars(statement))

    def waiting(self, status: OrderStatus, *, since: datetime, limit: int) -> list[Order]:
        table = orders_table
        late = select(Order).where(table.c.status == status, table.c.changed_at <= since).order_by(table.c.changed_at)
        return list(self._session.scalars(late.limit(limit).with_for_update(skip_locked=True)))

    def refunds_due(self, *, limit: int) -> list[Order]:
        due = select(Order).where(orders_table.c.refund_due).order_by(orders_table.c.changed_at).limit(limit)
        return list(self._session.scalars(due.with_for_update(skip_locked=True)))


class SqlCustomers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, customer: Customer) -> None:
        statement = insert(customers).values(**asdict(customer))
        self._session.execute(
            statement.on_conflict_do_update(index_elements=["user_id"], set_={"name": statement.excluded.name})
        )

    def get(self, user_id: UUID) -> Customer | None:
        row = self._session.execute(select(customers).where(customers.c.user_id == user_id)).mappings().one_or_none()
        return Customer(**row) if row else None


@dataclass(frozen=True, slots=True)
class Repositories:
    orders: Orders
    customers: Customers


def repositories(session: Session) -> Repositories:
    """Everything this service stores, in one transaction."""
    return Repositories(SqlOrders(session), SqlCustomers(session))
