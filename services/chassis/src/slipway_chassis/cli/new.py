"""``slipway new``: a service that works, with tests, chart and pipeline, in an empty folder or a Slipway workspace."""

import re
from dataclasses import replace
from pathlib import Path

import click

from ..errors import ConfigurationError
from ..scaffold.naming import Names, named
from ..scaffold.planning import Plan, plan
from ..scaffold.project import Project, find
from ..scaffold.published import REGISTRY
from ..scaffold.writing import write

_OCI = re.compile(r"oci://[a-zA-Z0-9.-]+(:\d+)?(/[a-zA-Z0-9._-]+)*")


@click.group()
def new() -> None:
    """Create a new service."""


@new.command("service")
@click.argument("name")
@click.option("--aggregate", default="", help="Name of what it keeps. Default: NAME without its plural s.")
@click.option("--http-only", is_flag=True, help="Without events: it needs no Kafka, and no Java on a laptop.")
@click.option("--registry", help="OCI registry of the library chart, for example oci://registry.example.org/charts.")
@click.option("--dry-run", is_flag=True, help="List the files and write nothing.")
def new_service(name: str, aggregate: str, http_only: bool, registry: str | None, dry_run: bool) -> None:  # noqa: FBT001
    """Create the service NAME: code, tests, migration, chart, image and pipeline.

    In a folder whose pyproject.toml has no [tool.slipway], an empty one for example, it is a project of its own.
    Otherwise it is a further service of that workspace. Its tests pass as they are. Nothing is written unless all of
    it can be.

    \b
    Examples:
      slipway new service parcels
      slipway new service inventory --aggregate item
      slipway new service parcels --http-only --dry-run
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    root = Path.cwd()
    names = _named(name, aggregate, root)
    project = _with_registry(find(root), registry)
    planned = plan(project, names, events=not http_only)
    if not dry_run:
        try:
            write(root, planned.new, planned.changed)
        except OSError as error:
            raise ConfigurationError(f"{error}; nothing was written") from error
    _tell(planned)
    click.echo("\nNothing was written." if dry_run else _next_steps(project, names, planned))


def _named(name: str, aggregate: str, root: Path) -> Names:
    try:
        return named(name, aggregate, root)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def _with_registry(project: Project, registry: str | None) -> Project:
    registry = registry or project.registry
    if not _OCI.fullmatch(registry):
        raise click.UsageError(f"--registry {registry!r} is no OCI registry: write it like {REGISTRY}")
    return replace(project, registry=registry)


def _tell(planned: Plan) -> None:
    for path in sorted(planned.new):
        click.echo(f"  {path}")
    for path in sorted(planned.changed):
        click.echo(f"  {path} (changed)")
    for path in planned.kept:
        click.echo(f"  {path} (there already, stays)")


def _next_steps(project: Project, names: Names, planned: Plan) -> str:
    service = names.service
    if project.mode == "platform":
        return (
            f"\nThe service {service} is there; pyproject.toml and the gateway know it. Next:\n"
            f"  make setup && make unit integration T=tests/{service}\n"
            f"  make demo                        # it runs with the others, at /v1/{service}, open to all:\n"
            f"                                   # ask for scopes in its routes and in {project.gateway}\n"
            "To ship it with the platform, add it to charts/platform (Chart.yaml and values.yaml)."
        )
    folders = project.folders(service)
    lines = [
        f"\nThe service {service} is there; pyproject.toml and the gateway know it. Next:",
        f"  uv run pytest {folders['tests']}",
        f"  uv run slipway up                # it runs at http://127.0.0.1:8080/v1/{service}, open to all:",
        f"                                   # ask for scopes in its routes and in {project.gateway}",
        f"  uv run slipway release {service} --version 2",
    ]
    if project.mode == "workspace":
        lines.append(f"  uv lock --project {folders['service']}        # its image is built from this lock")
        if ".gitlab-ci.yml" not in planned.changed:
            lines.append("There is no .gitlab-ci.yml: its pipeline is yours to write.")
    if project.registry == REGISTRY:
        lines.append(f"{folders['chart']}/Chart.yaml names a registry that is nobody's ({REGISTRY}): put yours there.")
    return "\n".join(lines)
