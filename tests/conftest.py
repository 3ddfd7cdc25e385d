"""Fixtures of all tests: the chassis' own, and the whole shop. What tests import lies in support/."""

import os
import signal

import pytest
from hypothesis import settings

from slipway_chassis.embedded.processes import free_port

pytest_plugins = ["slipway_chassis.testing.plugin"]
# What support asserts says its values, as tests do.
pytest.register_assert_rewrite("support")
# A shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples for the same code, so that a verdict can be repeated. HYPOTHESIS_PROFILE=default looks for others.
settings.register_profile("steady", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_collection_modifyitems(items):
    """Files run side by side: those that take longest begin first, so that no one is waited for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", name="shop")
def _shop(run_folder, machine):
    """The whole shop, running; started once for all tests that ask for it."""
    from support.shop import Shop  # noqa: PLC0415 # most runs need none of what it imports

    with Shop(run_folder / "shop", machine, free_port()) as running:
        yield running
