"""Whoever is outside has what a release has: packages, and nothing of the checkout."""

import shutil
import subprocess

import pytest

from support.newcomer import Newcomer
from support.repository import ROOT


@pytest.fixture(scope="session", name="packages")
def _packages():
    subprocess.run(["make", "-s", "packages"], cwd=ROOT, check=True, timeout=600)


@pytest.fixture(name="newcomer")
def _newcomer(packages, run_folder):
    above = run_folder / "newcomer"
    yield Newcomer(above)
    shutil.rmtree(above)
