"""HTTP: typed routes (``api``), the Flask application of a service (``app``) and its outermost layer
(``edge``), errors (``problems``), input (``body``), safe repetition (``idempotency``), the published
contract (``openapi``), an application that was there before (``existing``), calls to others (``client``) and the
server (``server``).
"""

import warnings
from typing import TYPE_CHECKING, Any

from ..resources import Resources
from .api import Api, Output
from .app import current_parts, current_resources
from .body import Input
from .edge import current_principal
from .existing import require_scopes
from .problems import Problem

__all__ = [
    "Api",
    "Input",
    "Output",
    "Problem",
    "Resources",
    "current_parts",
    "current_principal",
    "current_resources",
    "require_scopes",
]

if not TYPE_CHECKING:  # or mypy would find any name here

    def __getattr__(name: str) -> Any:
        if name == "Standing":  # its former name; it goes with version 0.4
            warnings.warn(
                "slipway_chassis.http.Standing is slipway_chassis.http.Resources now", DeprecationWarning, stacklevel=2
            )
            return Resources
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
