"""``kubectl slipway adopt`` and ``orphan``: a service changes hands between a chart and the operator."""

import json
import shutil
import subprocess
from collections.abc import Sequence

import click

from ..errors import AccessUnknown, Refused, Unreachable
from . import adopting
from .adopting import Manifest
from .arguments import cluster_options, service_argument, target_of

_PATIENCE_SECONDS = 120  # of one kubectl: deleting waits for what is deleted


class KubectlObjects:
    """Asked by kubectl itself, so that contexts and credentials are those people set up."""

    def __init__(self, flags: Sequence[str], namespace: str | None = None) -> None:
        self._flags = list(flags)
        self.namespace = namespace or self._namespace()

    def get(self, kind: str, name: str) -> Manifest | None:
        text = self._run("get", kind, name, "--ignore-not-found", "--output=json")
        found: Manifest | None = json.loads(text) if text.strip() else None
        return found

    def list(self, kind: str, selector: str) -> list[Manifest]:
        items: list[Manifest] = json.loads(self._run("get", kind, f"--selector={selector}", "--output=json"))["items"]
        return items

    def patch(self, kind: str, name: str, patch: Manifest) -> None:
        self._run(
            "patch", kind, name, "--type=merge", f"--patch={json.dumps(patch)}", "--field-manager=kubectl-slipway"
        )

    def delete(self, kind: str, name: str, *, orphan: bool = False) -> None:
        cascade = "orphan" if orphan else "background"
        self._run("delete", kind, name, f"--cascade={cascade}", "--ignore-not-found", "--wait=true")

    def _namespace(self) -> str:
        return self._kubectl(["config", "view", "--minify", "--output=jsonpath={..namespace}"]).strip() or "default"

    def _run(self, *arguments: str) -> str:
        return self._kubectl([*arguments, f"--namespace={self.namespace}"])

    def _kubectl(self, arguments: Sequence[str]) -> str:
        executable = shutil.which("kubectl")
        if executable is None:
            raise AccessUnknown("kubectl was not found in PATH: kubectl slipway asks the cluster through it")
        try:
            done = subprocess.run(
                [executable, *arguments, *self._flags],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Unreachable(f"kubectl {arguments[0]} did not end within {_PATIENCE_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise Refused(said[-1] if said else "kubectl failed and said nothing")
        return done.stdout


def _objects(context: click.Context) -> KubectlObjects:
    target = target_of(context)
    return KubectlObjects([each for each in target.flags() if not each.startswith("--namespace")], target.namespace)


@click.command(short_help="Let the operator take a service over from its chart.")
@service_argument
@cluster_options
@click.pass_context
def adopt(context: click.Context, name: str) -> None:
    """Let the operator take NAME over from its chart, with no request lost.

    The chart's Deployments and Services are marked; then upgrade the release with release.managed=true.

    \b
    Example:
      kubectl slipway adopt shop-orders
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    for line in adopting.adopt(_objects(context), name):
        click.echo(line)


@click.command(short_help="Give a service back to its chart.")
@service_argument
@click.option("--clean", is_flag=True, help="Remove what is left of it, once the chart's own pods answer.")
@cluster_options
@click.pass_context
def orphan(context: click.Context, name: str, *, clean: bool) -> None:
    """Give NAME back to its chart, with no request lost; or undo adopt.

    \b
    Example:
      kubectl slipway orphan shop-orders
      helm upgrade shop CHART --reset-then-reuse-values --set orders.release.managed=false
      kubectl slipway orphan shop-orders --clean
    """  # noqa: D301
    do = adopting.clean if clean else adopting.orphan
    for line in do(_objects(context), name):
        click.echo(line)
