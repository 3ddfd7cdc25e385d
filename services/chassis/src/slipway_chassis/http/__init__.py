"""HTTP: typed routes (``api``), the Flask application of a service (``app``) and its outermost layer
(``edge``), errors (``problems``), input (``body``), safe repetition (``idempotency``), the published
contract (``openapi``), calls to others (``client``) and the server (``server``).
"""

from ..standing import Standing
from .api import Api, Output
from .app import current_parts
from .body import Input
from .edge import current_principal
from .problems import Problem

__all__ = ["Api", "Input", "Output", "Problem", "Standing", "current_parts", "current_principal"]
