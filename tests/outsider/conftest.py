"""Whoever is outside has what a release has: packages, and nothing of the checkout."""

import shutil
import subprocess
import time

import pytest

from slipway_chassis import __version__
from support.newcomer import Newcomer
from support.repository import ROOT


@pytest.fixture(scope="session", name="version")
def _version():
    """One that was never there: uv keeps what it unpacked by name and version, and would take that again."""
    return f"{__version__.rpartition('.')[0]}.{time.time():.0f}"


@pytest.fixture(scope="session", name="packages")
def _packages(version):
    subprocess.run(["make", "-s", "packages", f"VERSION={version}"], cwd=ROOT, check=True, timeout=600)


@pytest.fixture(name="newcomer")
def _newcomer(packages, run_folder):
    above = run_folder / "newcomer"
    yield Newcomer(above)
    shutil.rmtree(above)
