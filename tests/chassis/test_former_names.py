"""Names that services import from the version before: they work for a release, and say what they are called now."""

import importlib
import sys

import pytest

from slipway_chassis import bounded_read, http, resources


@pytest.mark.parametrize(
    ("module", "name", "now", "called"),
    [
        ("slipway_chassis.standing", "Standing", resources.Resources, "slipway_chassis.resources"),
        ("slipway_chassis.reading", "read_within", bounded_read.read_within, "slipway_chassis.bounded_read"),
    ],
)
def test_a_module_that_was_renamed_is_still_there_and_warns(module, name, now, called):
    sys.modules.pop(module, None)

    with pytest.warns(DeprecationWarning, match=called):
        assert getattr(importlib.import_module(module), name) is now


def test_what_http_gave_by_its_former_name_warns():
    with pytest.warns(DeprecationWarning, match="Resources"):
        assert http.Standing is resources.Resources
