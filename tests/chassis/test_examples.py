"""Every example in a docstring of the chassis runs and says what it shows."""

import doctest
import importlib
import pkgutil

import pytest

import slipway_chassis

MODULES = [
    info.name
    for info in pkgutil.walk_packages(slipway_chassis.__path__, "slipway_chassis.")
    if not info.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    module = importlib.import_module(name)

    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)

    assert failed == 0
