"""What all tests share: the chassis' own fixtures, and where the repository lies."""

import os
import signal
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

__all__ = ["ROOT", "eventually"]


@pytest.fixture(scope="session", name="shop")
def _shop(run_folder, machine):
    """The whole shop, running; started once for all tests that ask for it."""
    import shop  # noqa: PLC0415 # it imports this module

    with shop.Shop(run_folder / "shop", machine, free_port()) as running:
        yield running
