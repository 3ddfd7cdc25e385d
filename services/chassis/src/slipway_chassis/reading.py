"""The former name of ``bounded_read``; it goes with version 0.4."""

import warnings

from .bounded_read import read_within

__all__ = ["read_within"]

warnings.warn("slipway_chassis.reading is slipway_chassis.bounded_read now", DeprecationWarning, stacklevel=2)
