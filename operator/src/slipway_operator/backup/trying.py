"""A dump that is tried on a server that has nothing yet: what an administrator gives a database is made first."""

from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from slipway_chassis.embedded.postgresql import PostgreSQL

from .connections import connected
from .listing import WITH_EXTENSIONS, WITH_ROLES, entries, extensions_of, roles_of
from .manifest import DatabaseDump
from .refilling import Refill, listed, script

Connection = psycopg.Connection[tuple[object, ...]]


def try_on(server: PostgreSQL, dump: DatabaseDump, file: Path, service: str) -> None:
    """Restores it as ``service`` on a server of nobody else, with the roles it grants to and the extensions that the
    server has. Nothing of the dump runs as superuser. Errors as of ``Refill.run``.
    """
    url, lines = server.ensure_database(service), listed(file)
    with connected(server.url(service)) as superuser:
        _make_roles(superuser, roles_of(script(file, entries(lines, WITH_ROLES))), service)
        _make_extensions(superuser, extensions_of(script(file, entries(lines, WITH_EXTENSIONS))), service)
    Refill(url, dump, file).run()


def _make_roles(superuser: Connection, roles: set[str], service: str) -> None:
    """Each that is made is one of the service's too, which may then change what is granted by default."""
    there = {str(name) for (name,) in superuser.execute("SELECT rolname FROM pg_roles").fetchall()}
    for name in sorted(roles - there):
        role, owner = sql.Identifier(name), sql.Identifier(service)
        superuser.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        superuser.execute(sql.SQL("GRANT {} TO {}").format(role, owner))


def _make_extensions(superuser: Connection, extensions: Iterable[tuple[str, str]], service: str) -> None:
    """Those that the server has; the dump's own statement tells of another."""
    there = {str(name) for (name,) in superuser.execute("SELECT name FROM pg_available_extensions").fetchall()}
    for name, schema in extensions:
        if name in there:
            where, owner = sql.Identifier(schema), sql.Identifier(service)
            superuser.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(where, owner))
            superuser.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {}").format(sql.Identifier(name), where)
            )
