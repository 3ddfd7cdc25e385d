"""``slipway backup pod``: create, verify and restore in a pod of a cluster, beside no ``slipway up``."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from slipway_chassis.cli.arguments import Duration
from slipway_chassis.config import KafkaSettings, load

from ..runtimes.local.system import Service
from .creating import create as create_backup
from .folder import Backups
from .pod import Pod, PodSettings, group_back, restore_here, verify_here, wait_for
from .refilling import require_one_owner
from .sealing import passphrase_of
from .telling import teller
from .verifying import require_files, whole

Command = Callable[..., Any]
_existing = partial(click.Path, path_type=Path, exists=True)
SECRETS_SAY = "Folder of files SERVICE-NAME with what encrypts in the database: kept sealed, and compared by a restore."


def _service_options(command: Command) -> Command:
    group = "What brokers call its consumer group, whose offsets are kept. Default: none; of a restore, the backup's."
    wait = "How long to wait for PostgreSQL and Kafka. Default: 1m."
    command = click.option("--wait", type=Duration(), default="1m", help=wait)(command)
    command = click.option("--group", default="", help=group)(command)
    return click.option("--service", required=True, help="The service, as it is called in backups.")(command)


def _trial_option(command: Command) -> Command:
    says = "Whether to restore it here first; not for a database with extensions that are not in this image."
    return click.option("--trial/--no-trial", default=True, help=says)(command)


@click.group()
def pod() -> None:
    """One service of a cluster, by the settings that its own pods have: DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS.

    The CronJob of a service's chart runs this (backup.enabled). `slipway backup ls --from` lists what it has made.

    \b
    Examples:
      slipway backup pod create --service orders --group orders --to /backups --keep 7
      slipway backup pod verify 20260131T020000Z --from /backups
      slipway backup pod restore 20260131T020000Z --from /backups --service orders --group orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines


@pod.command("create")
@_service_options
@_trial_option
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where to.")
@click.option("--keep", type=click.IntRange(1, 10_000), help="Remove all but the newest N backups.")
@click.option("--secrets", type=_existing(file_okay=False), help=SECRETS_SAY)
@click.option("--passphrase-file", type=_existing(dir_okay=False), help="File whose first line seals them.")
def create(
    *,
    service: str,
    group: str,
    wait: timedelta,
    trial: bool,
    folder: Path,
    keep: int | None,
    secrets: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Write a backup of the service, and offer it after it was restored into a PostgreSQL of this pod."""
    tell = teller()
    pod = _pod(service, group, secrets)
    wait_for(pod, wait.total_seconds())
    require_one_owner(pod.database.conninfo)
    made = create_backup(
        pod,
        Backups(folder),
        services=[service],
        passphrase=passphrase_of(passphrase_file) if passphrase_file else None,
        keep=keep,
        tell=tell,
        check=partial(verify_here if trial else require_files, tell=tell),
    )
    for name in made.left_out:
        click.echo(f"left out: the secret {name}; --passphrase-file takes it in")
    for name in made.forgotten:
        click.echo(f"removed: {name}")
    click.echo(f"{made.manifest.name} is whole: {made.manifest.size} bytes in {made.path}")


@pod.command("verify")
@click.argument("backup")
@click.option("--from", "folder", required=True, type=_existing(file_okay=False), help="Folder of backups.")
def verify(backup: str, folder: Path) -> None:
    """Restore BACKUP into a PostgreSQL that is started here for it, and compare its rows."""
    found = Backups(folder).named(backup)
    verify_here(found, tell=teller())
    click.echo(f"{whole(found).name} can be restored")


@pod.command("restore")
@click.argument("backup")
@_service_options
@_trial_option
@click.option("--from", "folder", required=True, type=_existing(file_okay=False), help="Folder of backups.")
@click.option("--secrets", type=_existing(file_okay=False), help=SECRETS_SAY)
def restore(
    *, backup: str, service: str, group: str, wait: timedelta, trial: bool, folder: Path, secrets: Path | None
) -> None:
    """Take the database of a service that is stopped, and its offsets, back to BACKUP; what is there now is lost.

    Killed in the middle, the same command goes on.
    """
    found = Backups(folder).named(backup)
    pod = group_back(_pod(service, group, secrets), found)
    wait_for(pod, wait.total_seconds())
    restore_here(pod, found, trial=trial, tell=teller())
    click.echo(f"{service} is as it was; start it again, and let slipway audit say what is apart")


def _pod(service: str, group: str, secrets: Path | None) -> Pod:
    try:
        named = Service(name=service, processes=("migrate",))
    except ValidationError:
        raise click.UsageError(
            f"{service!r} is no name of a service: it has lower case letters, digits and _, at most 40, "
            "and begins with a letter"
        ) from None
    kafka = load(KafkaSettings) if group else None
    return Pod(named, group, load(PodSettings), kafka, secrets)
