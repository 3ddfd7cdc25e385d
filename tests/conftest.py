"""What all tests share: the chassis' own fixtures, and where the repository lies."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually

pytest_plugins = ["slipway_chassis.testing.plugin"]
ROOT = Path(__file__).parent.parent
# A shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples for the same code, so that a verdict can be repeated. HYPOTHESIS_PROFILE=default looks for others.
settings.register_profile("steady", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

__all__ = ["ROOT", "copy_repository", "eventually", "tracked"]


def tracked(*patterns):
    """Files of the repository, those included that are new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def copy_repository(folder):
    """So that a test may change what it likes."""
    files = [str(path.relative_to(ROOT)) for path in tracked()]
    packed = subprocess.run(["tar", "cf", "-", *files], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "xf", "-"], cwd=folder, input=packed, check=True)


@pytest.fixture(scope="session", name="shop")
def _shop(run_folder, machine):
    """The whole shop, running; started once for all tests that ask for it."""
    import shop  # noqa: PLC0415 # it imports this module

    with shop.Shop(run_folder / "shop", machine, free_port()) as running:
        yield running
