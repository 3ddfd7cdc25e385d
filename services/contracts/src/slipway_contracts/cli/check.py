"""``slipway contracts check``: whether what services promise now keeps what they promised."""

import json
import os
import sys
from functools import partial
from pathlib import Path, PurePosixPath

import click

from ..checking import Report
from ..checking import check as checked
from ..code_quality import code_quality as code_quality_of
from ..config import registry_login
from ..findings import Severity
from ..registry import others_of
from ..tree import at_commit, folder_of, in_folder, without_contracts
from .failure import told
from .output import output_option

SHOWN = {Severity.BREAKING: "breaking", Severity.WARNING: "warning", Severity.SAFE: "safe"}


def _below(_context: click.Context, _option: click.Parameter, value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\0" in value:
        raise click.BadParameter(f"{value!r} is no folder below the root: name it from there, or give another --root")
    return value


@click.command()
@click.option("--against", required=True, help="Commit or directory to compare with.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".", show_default=True)
@click.option(
    "--services",
    default="services",
    show_default=True,
    callback=_below,
    help="Directory of the services, below the root.",
)
@click.option(
    "--registry",
    "places",
    multiple=True,
    metavar="DIR|URL|OCI|GIT#COMMIT",
    help="Contracts of services in other repositories: they consume and provide. May be given more than once.",
)
@click.option("--all", "everything", is_flag=True, help="Show compatible changes as well.")
@click.option(
    "--code-quality",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="File for a Code Quality report as well, which GitLab shows in merge requests.",
)
@output_option
@told()
def check(
    against: str,
    root: Path,
    services: str,
    places: tuple[str, ...],
    output: str,
    *,
    everything: bool,
    code_quality: Path | None,
) -> None:
    """Compare the contracts of all services with earlier ones, and with what each service declares to rely on.

    Reads the committed files in SERVICES/*/contracts, and in contracts of a service at the root; nothing of the
    earlier tree is run. Exit code 1: something breaks, or relies on a service that
    nobody showed.

    \b
    Examples:
      slipway contracts check --against main
      slipway contracts check --against ../release-1.4 --output json
      slipway contracts check --against main --code-quality gl-code-quality.json
      slipway contracts check --against main --registry ../stock --registry https://shop.example/contracts/users
      slipway contracts check --against main --registry oci://registry.example/shop/users-contracts:main
      slipway contracts check --against main --registry https://git.example/team/users.git#v1.4
    """  # noqa: D301
    new = in_folder(root, services)
    old = in_folder(Path(against), services) if os.path.isdir(against) else at_commit(root, against, services)  # noqa: PTH112 # no OSError for what no file can be called
    if not new and not old:
        raise click.UsageError(
            f"there are no contracts in {root / 'contracts'} or {root / services}/*/contracts: nothing was compared"
        )
    report = checked(old, new, others_of(places, registry_login()) if places else {})
    if code_quality:
        code_quality.write_text(
            json.dumps(code_quality_of(report, partial(folder_of, root, services)), indent=2, ensure_ascii=False)
        )
    if output == "json":
        click.echo(json.dumps(report.data(), indent=2, ensure_ascii=False))
    else:
        _tell(report, everything=everything)
        for name in without_contracts(root, services, new):
            click.echo(f"{name}: has no contracts; write them: slipway contracts export {name}", err=True)
        click.echo(f"{len(new)} services compared with {against}: {_result(report)}")
    sys.exit(0 if report.ok else 1)


def _result(report: Report) -> str:
    if report.ok:
        return "nothing breaks"
    return "this breaks" if any(not verdict.ok for verdict in report.verdicts.values()) else "a question is open"


def _tell(report: Report, *, everything: bool) -> None:
    for name, verdict in report.verdicts.items():
        said = [one for one in verdict.findings if everything or one.severity is not Severity.SAFE]
        if said:
            click.echo(name)
        for one in said:
            click.echo(f"  {SHOWN[one.severity]}{' (undecided)' if one.undecided else ''}: {one.sentence}")
            click.echo(f"    {one.rule} at {one.place}")
