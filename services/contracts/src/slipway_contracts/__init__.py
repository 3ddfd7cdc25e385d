"""What a version of a service promises, how two versions differ, and whom the difference breaks.

``compare`` knows the rules, ``judge`` is the gate, ``Contracts`` is what travels with a version. Nothing here imports
Flask, Kafka or SQLAlchemy: what reads a declared service is ``slipway_chassis.cli.exporting``. docs/contracts.md has
the rules.
"""

from .bundle import Contracts
from .comparing import compare
from .consumes import Calls, CallsGrpc, Declared, ReadsEvent
from .events import LENIENT, STRICT, compare_transitively
from .findings import Finding, Kind, Mode, Severity, breaking
from .schema import Reading
from .verdict import Result, Shown, Verdict, judge

__all__ = [
    "LENIENT",
    "STRICT",
    "Calls",
    "CallsGrpc",
    "Contracts",
    "Declared",
    "Finding",
    "Kind",
    "Mode",
    "Reading",
    "ReadsEvent",
    "Result",
    "Severity",
    "Shown",
    "Verdict",
    "breaking",
    "compare",
    "compare_transitively",
    "judge",
]
