"""The former name of ``resources``; it goes with version 0.4."""

import warnings

from .resources import Resources as Standing

__all__ = ["Standing"]

warnings.warn(
    "slipway_chassis.standing.Standing is slipway_chassis.resources.Resources now", DeprecationWarning, stacklevel=2
)
