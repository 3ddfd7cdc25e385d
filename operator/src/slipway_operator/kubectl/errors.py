"""Errors of ``kubectl slipway``; those of the cluster are the package's own (``slipway_operator.errors``).

OperatorError
└── NotPossible   a decision that would have no effect or a wrong one; the message says why, and the cure
"""

from ..errors import OperatorError


class NotPossible(OperatorError):
    pass
