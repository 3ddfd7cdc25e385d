"""``slipway keys`` and ``slipway token``: the keys that sign tokens, and a token. Both read DATABASE_URL and
SIGNING_KEYS_SECRET like the service.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from sqlalchemy.orm import Session

from slipway_chassis.cli.arguments import Duration
from slipway_chassis.cli.output import output_option, show
from slipway_chassis.config import DatabaseSettings, load_here
from slipway_chassis.database import Database
from slipway_chassis.errors import ChassisError

from ..adapters.repositories import SqlUsers
from ..adapters.signing_keys import Signer, SqlSigningKeys
from ..adapters.tables import map_domain
from ..application import key_rotation
from ..errors import UserNotFound, UsersError
from ..settings import UsersSettings

PROGRAM = "slipway"  # the client that tokens of this command name
LONGEST_TOKEN = timedelta(hours=1)


@click.group()
def keys() -> None:
    """Signing keys of the users service: list, rotate, revoke.

    Run it where the service runs, with its environment; or in the folder of a `slipway up`, which tells it.

    \b
    Examples:
      slipway keys ls
      slipway keys rotate
      slipway keys rotate --at-once
      slipway keys revoke KID --yes
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines


@contextmanager
def _session() -> Iterator[Session]:
    database = Database(load_here(DatabaseSettings, "users").database_url, application_name="slipway-keys", pool_size=1)
    try:
        with database.transaction() as session:
            yield session
    except UsersError as error:
        raise ChassisError(str(error)) from error
    finally:
        database.close()


@contextmanager
def _stored(settings: UsersSettings) -> Iterator[SqlSigningKeys]:
    with _session() as session:
        yield SqlSigningKeys(session, settings.signing_keys_secret)


@keys.command("ls")
@output_option
def ls(output: str) -> None:
    """List the keys: the one that signs, the next one, and those published until their tokens have expired."""
    settings, now = load_here(UsersSettings, "users"), datetime.now(UTC)
    with _stored(settings) as stored:
        known = stored.all()
    published = settings.rotation.published(known, now)
    signing = settings.rotation.signing(known, now) if known else None
    rows = [
        {
            "kid": key.kid,
            "signs_from": key.signs_from.isoformat(timespec="seconds"),
            "state": "signs" if key == signing else "to come" if key.signs_from > now else "until tokens expire",
        }
        for key in published
    ]
    show(rows, ["kid", "signs_from", "state"], output=output, empty="no keys yet: the service makes the first one")


@keys.command("rotate")
@click.option("--at-once", is_flag=True, help="Sign with it at once, before all verifiers know it. For a stolen key.")
def rotate(*, at_once: bool) -> None:
    """Create the next key. It is published at once, and signs when all verifiers have fetched it."""
    settings = load_here(UsersSettings, "users")
    with _stored(settings) as stored:
        made = key_rotation.rotate(stored, settings.rotation, now=datetime.now(UTC), at_once=at_once)
    click.echo(f"{made.kid} signs from {made.signs_from.isoformat(timespec='seconds')}")


# One key in 64 of those that were made before has a name with - before, which may contain an h.
@keys.command("revoke", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
def revoke(kid: str, *, yes: bool) -> None:
    """Revoke a key: services reject its tokens after their next fetch, the gateway when these expire."""
    if not yes:
        click.confirm(f"Refuse everything that {kid} signed?", abort=True)
    settings = load_here(UsersSettings, "users")
    with _stored(settings) as stored:
        made = key_rotation.revoke(stored, settings.rotation, kid, now=datetime.now(UTC))
    click.echo(f"{kid} is withdrawn" + (f"; {made.kid} signs from now on" if made else ""))


@click.command()
@click.option("--user", default="", help="Whose token: the email or id of an account. Default: a program's, `slipway`.")
@click.option("--scope", default="", help="Scopes with spaces between. Default: all that a client may ask for.")
@click.option(
    "--for", "lifetime", type=Duration(), default="5m", show_default=True, help="Until it expires; 1h at most."
)
def token(user: str, scope: str, lifetime: timedelta) -> None:
    """Print an access token of the users service: for curl, scripts and tests.

    Whoever has the database and SIGNING_KEYS_SECRET may sign: run it where the service runs, with its environment, or
    in the folder of a `slipway up`.

    \b
    Examples:
      curl -H "Authorization: Bearer $(slipway token --user ada@example.org)" localhost:8080/v1/orders
      slipway token --scope inventory:read --for 10m
    """  # noqa: D301
    if not timedelta(0) < lifetime <= LONGEST_TOKEN:
        raise click.BadParameter("from 1s to 1h", param_hint="--for")
    settings = load_here(UsersSettings, "users")
    if not settings.auth_issuer:
        raise ChassisError(
            "AUTH_ISSUER is not set, and nobody takes a token without an issuer: it is the service's own"
        )
    offered = sorted({name for client in settings.oauth_clients for name in client.scopes})
    if unknown := sorted(set(scope.split()) - set(offered)):
        raise click.BadParameter(
            f"no client may ask for {unknown[0]}: there are {', '.join(offered)}", param_hint="--scope"
        )
    with _session() as session:
        signed = Signer.of(settings).access_token(
            session,
            subject=_id_of(session, user) if user else PROGRAM,
            client_id=PROGRAM,
            scope=scope or " ".join(offered),
            now=datetime.now(UTC),
            lifetime=int(lifetime.total_seconds()),
        )
    click.echo(signed)


def _id_of(session: Session, user: str) -> str:
    map_domain()
    users = SqlUsers(session)
    found = users.with_email(user) if "@" in user else users.get(_uuid(user))
    if found is None:
        raise UserNotFound(f"there is no account {user}")
    return str(found.id)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither an email nor an id", param_hint="--user") from None
