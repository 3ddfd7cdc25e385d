"""``slipway backup``: create, ls, verify, restore, gap and reconcile, beside a running ``slipway up``; and ``pod``."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from slipway_chassis.cli.output import output_option, show

from ..runtimes.local.release_cli import data_option
from .creating import create as create_backup
from .folder import Backups, Found
from .gap import gap as gap_of
from .gap import reconcile as reconcile_gap
from .pod_cli import pod
from .restoring import restore as restore_service
from .sealing import passphrase_of, put_back
from .shop import default_folder, shop_on
from .telling import teller
from .verifying import unsealed, whole
from .verifying import verify as verify_backup

Command = Callable[..., Any]


def _services_option(command: Command) -> Command:
    says = "Service to take; repeatable. Default: all that have a database."
    return click.option("--service", "services", multiple=True, help=says)(command)


def _passphrase_option(command: Command) -> Command:
    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    says = "File whose first line seals the secrets that encrypt signing keys. Without it they are left out."
    return click.option("--passphrase-file", type=file, help=says)(command)


def _folder_option(name: str) -> Callable[[Command], Command]:
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option(name, "folder", type=folder, help="Folder of backups; default: backups in the data directory.")


@click.group()
def backup() -> None:
    """Back up and restore the databases of a running `slipway up`.

    BACKUP is a name that `slipway backup ls` prints, or the path of a backup's own folder.

    \b
    Examples:
      slipway backup create --to /mnt/backups --keep 7 --passphrase-file ~/passphrase
      slipway backup ls
      slipway backup verify 20260131T020000Z
      slipway backup restore 20260131T020000Z --service orders --yes
      slipway backup gap 20260131T020000Z --service orders
      slipway backup reconcile 20260131T020000Z --service orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines


@backup.command("create")
@_folder_option("--to")
@_services_option
@_passphrase_option
@click.option("--keep", type=click.IntRange(1, 10_000), help="Remove all but the newest N backups of these services.")
@data_option
def create(
    folder: Path | None, services: Sequence[str], passphrase_file: Path | None, keep: int | None, data: Path | None
) -> None:
    """Write a backup: each database at one moment, with the offsets of its consumers and its releases."""
    shop = shop_on(data, Path.cwd())
    passphrase = passphrase_of(passphrase_file) if passphrase_file else None
    made = create_backup(
        shop,
        Backups(folder or default_folder(data, Path.cwd())),
        services=services,
        passphrase=passphrase,
        keep=keep,
        tell=teller(),
    )
    for name in made.left_out:
        click.echo(
            f"left out: the secret {name}, without which what it encrypted can't be read; --passphrase-file takes it in"
        )
    for name in made.forgotten:
        click.echo(f"removed: {name}")
    click.echo(f"{made.manifest.name} is whole: {made.manifest.size} bytes in {made.path}")


@backup.command("ls")
@_folder_option("--from")
@output_option
@data_option
def ls(folder: Path | None, output: str, data: Path | None) -> None:
    """List the backups of a folder; one that was interrupted is not offered."""
    found = Backups(folder or default_folder(data, Path.cwd())).all()
    columns = ["name", "services", "bytes", "age_seconds", "fault"]
    show([_row(each) for each in found], columns, output=output, empty="no backups")


def _row(found: Found) -> dict[str, object]:
    manifest = found.manifest
    if manifest is None:
        return {"name": found.path.name, "services": "", "bytes": "", "age_seconds": "", "fault": found.fault}
    return {
        "name": found.path.name,
        "services": ",".join(each.service for each in manifest.services),
        "bytes": manifest.size,
        "age_seconds": round((datetime.now(UTC) - manifest.moment).total_seconds()),
        "fault": found.fault,
    }


@backup.command("verify")
@click.argument("backup")
@_folder_option("--from")
@data_option
def verify(backup: str, folder: Path | None, data: Path | None) -> None:
    """Restore every database of BACKUP into a scratch database, compare its rows, and drop it."""
    shop = shop_on(data, Path.cwd())
    found = Backups(folder or default_folder(data, Path.cwd())).named(backup)
    verify_backup(shop, found, tell=teller())
    click.echo(f"{whole(found).name} can be restored")


@backup.command("restore")
@click.argument("backup")
@_folder_option("--from")
@_services_option
@_passphrase_option
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@data_option
def restore(
    backup: str,
    folder: Path | None,
    services: Sequence[str],
    passphrase_file: Path | None,
    data: Path | None,
    *,
    yes: bool,
) -> None:
    """Take services back to BACKUP, one after the other. Killed in the middle, the same command goes on."""
    shop = shop_on(data, Path.cwd())
    found = Backups(folder or default_folder(data, Path.cwd())).named(backup)
    chosen = shop.chosen(services or [each.service for each in whole(found).services])
    passphrase = passphrase_of(passphrase_file) if passphrase_file else None
    if not yes:
        names = ", ".join(each.name for each in chosen)
        click.confirm(f"Stop {names}, and take it back to {whole(found).moment:%Y-%m-%d %H:%M:%S} UTC?", abort=True)
    tell = teller()
    for service in chosen:
        done = restore_service(shop, found, service, passphrase=passphrase, tell=tell)
        kept = f"; the database of before is kept as {done.before}" if done.before else ""
        click.echo(f"{done.service}: RPO {done.lost:.1f} s, RTO {done.away:.1f} s{kept}")
    click.echo(f"slipway backup gap {backup} lists what others know of the time between, and these databases do not")


@backup.command("gap")
@click.argument("backup")
@_folder_option("--from")
@_services_option
@output_option
@data_option
def gap(backup: str, folder: Path | None, services: Sequence[str], output: str, data: Path | None) -> None:
    """List aggregates of which Kafka has a newer version than BACKUP: of a service that was restored from it, those
    that it had then.

    Before a restore, what is listed would be unknown afterwards.
    """
    shop = shop_on(data, Path.cwd())
    found = Backups(folder or default_folder(data, Path.cwd())).named(backup)
    rows = [
        {
            "service": service,
            "stream": one.topic,
            "aggregate": one.aggregate_id,
            "kafka": one.published,
            "database": "none" if one.stored is None else one.stored,
        }
        for service, one in gap_of(shop, found, services)
    ]
    columns = ["service", "stream", "aggregate", "kafka", "database"]
    show(rows, columns, output=output, empty="no aggregate is known to others in a newer version")


@backup.command("reconcile")
@click.argument("backup")
@_folder_option("--from")
@_services_option
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@data_option
def reconcile(backup: str, folder: Path | None, services: Sequence[str], data: Path | None, *, yes: bool) -> None:
    """After a restore of BACKUP, which has done the same before the service was started: look once more.

    A row that went back would give its next changes numbers that others have seen already, and they would leave them
    out. It gets the number of the gap; what it says stays. Aggregates without a row are listed: a person decides.
    """
    shop = shop_on(data, Path.cwd())
    found = Backups(folder or default_folder(data, Path.cwd())).named(backup)
    if not yes:
        click.confirm("Raise the versions of rows that went back to those that others know?", abort=True)
    for done in reconcile_gap(shop, found, services):
        click.echo(f"{done.service}: {done.behind} rows go on from the version that others know")
        for one in done.missing:
            click.echo(f"  {one.topic} {one.aggregate_id}: others know version {one.published}, there is no row")


@backup.command("unseal")
@click.argument("backup")
@_folder_option("--from")
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder that takes them.")
@_passphrase_option
@data_option
def unseal(backup: str, folder: Path | None, to: Path, passphrase_file: Path | None, data: Path | None) -> None:
    """Write the secrets of BACKUP to files SERVICE-NAME, for their owner alone: where they were lost elsewhere."""
    if passphrase_file is None:
        raise click.UsageError("--passphrase-file names the file with what sealed them")
    found = Backups(folder or default_folder(data, Path.cwd())).named(backup)
    values = unsealed(found, passphrase_of(passphrase_file))
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, value in values.items():
        put_back(to / name, value)
        click.echo(to / name)


backup.add_command(pod)
