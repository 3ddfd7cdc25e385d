"""How connections are made, and how those that died in the pool are noticed."""

import select
import time
from collections.abc import Callable
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import Engine, ExceptionContext, PoolProxiedConnection, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError

from .sessions import Sessions

# A server that vanished is noticed within half a minute; the sessions have the same for the server's side.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}


def engine_of(url: SecretStr, *, application_name: str, pool_size: int) -> Engine:
    """The engine of a process: it connects when first used."""
    parsed = make_url(url.get_secret_value())
    options = str(parsed.query.get("options") or "")
    engine = create_engine(
        parsed.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # values of a statement have no place in logs and dead letters
        connect_args={
            "connect_timeout": 5,
            "application_name": application_name,
            **({"options": options} if options else {}),
            **_KEEPALIVE,
        },
    )
    begin_sessions(engine, options)
    check_at_checkout(engine)
    leave_readers(engine)
    return engine


def begin_sessions(engine: Engine, options: str) -> None:
    """Connections of the engine begin as ``Sessions`` says."""
    sessions = Sessions(options)

    def do_connect(dialect: Any, _record: object, arguments: Any, named: dict[str, Any]) -> Any:
        return sessions.begin(lambda: dialect.loaded_dbapi.connect(*arguments, **named))

    event.listen(engine, "do_connect", do_connect)


IDLE_SECONDS = 5.0  # after that a host may have vanished without a word


def check_at_checkout(engine: Engine) -> None:
    """Notices connections that died in the pool, so that a restarted server costs no request.

    A server that ends a connection sends something: data to read on an idle connection is a reason to ask.
    Asking each time (SQLAlchemy's pool_pre_ping) would cost a tenth of a small request.
    """

    def checkin(_connection: object, record: PoolProxiedConnection) -> None:
        record.info["idle_since"] = time.monotonic()

    def checkout(connection: Any, record: PoolProxiedConnection, _proxy: object) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None:
            return
        if time.monotonic() - idle_since < IDLE_SECONDS and not _has_something_to_read(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise DisconnectionError from None  # the pool throws away all of its age and connects anew

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)


READ_ONLY = "25006"


def leave_readers(engine: Engine) -> None:
    """Throws away a connection that can't write, with all of its age: after a fail-over, or while the server has no
    room, each would go on refusing for as long as the pool keeps it.

    A transaction that its own author made read-only is that author's mistake, and costs no connection.
    """

    def on_error(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY and context.connection is not None:
            driver: Any = context.connection.connection.driver_connection
            if is_reader(driver.pgconn.parameter_status):
                context.is_disconnect = True

    event.listen(engine, "handle_error", on_error)


def is_reader(parameter_status: Callable[[bytes], bytes | None]) -> bool:
    """By what PostgreSQL tells unasked (since version 14); true also where a pooler keeps it to itself."""
    said = [parameter_status(name) for name in (b"in_hot_standby", b"default_transaction_read_only")]
    return b"on" in said or said == [None, None]


def _has_something_to_read(connection: "psycopg.Connection[object]") -> bool:
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
