"""``slipway keys``: the keys that sign tokens. Reads DATABASE_URL and SIGNING_KEYS_SECRET like the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from slipway_chassis.cli.output import output_option, show
from slipway_chassis.config import DatabaseSettings, load_here
from slipway_chassis.database import Database
from slipway_chassis.errors import ChassisError

from ..adapters.signing_keys import SqlSigningKeys
from ..application import key_rotation
from ..errors import UsersError
from ..settings import UsersSettings


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
def _stored(settings: UsersSettings) -> Iterator[SqlSigningKeys]:
    database = Database(load_here(DatabaseSettings, "users").database_url, application_name="slipway-keys", pool_size=1)
    try:
        with database.transaction() as session:
            yield SqlSigningKeys(session, settings.signing_keys_secret)
    except UsersError as error:
        raise ChassisError(str(error)) from error
    finally:
        database.close()


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
