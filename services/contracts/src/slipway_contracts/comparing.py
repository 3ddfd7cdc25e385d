"""One door to all rules.

>>> old = {"openapi": "3.1.0", "paths": {"/v1/things": {"get": {"responses": {"200": {"description": "OK"}}}}}}
>>> [one.rule for one in compare(old, {"openapi": "3.1.0", "paths": {}}, Kind.OPENAPI)]
['path-removed']
"""

from typing import Any

from .asyncapi import compare_asyncapi
from .canonical import canonical
from .events import STRICT, compare_schemas
from .findings import Finding, Kind, Mode, Severity
from .openapi import compare_openapi
from .schema import Reading
from .wellformed import flaw_of


def compare(old: Any, new: Any, kind: Kind, mode: Mode = Mode.FULL, *, reading: Reading = STRICT) -> list[Finding]:
    """``old`` and ``new``: parsed JSON, for PROTOBUF a serialized FileDescriptorSet. ``mode`` is for events, and
    ``reading`` for the kind EVENT.
    """
    if kind is not Kind.PROTOBUF:
        flaw = flaw_of(old) or flaw_of(new)
        if flaw:
            return [_unread(kind, flaw)]
        if canonical(old) == canonical(new):
            return []
    if kind is Kind.OPENAPI:
        return compare_openapi(old, new)
    if kind is Kind.EVENT:
        return compare_schemas(old, new, mode, reading=reading)
    if kind is Kind.ASYNCAPI:
        return compare_asyncapi(old, new, mode)
    from .protobuf import compare_descriptors  # noqa: PLC0415 # most services have none

    return compare_descriptors(old, new)


def _unread(kind: Kind, flaw: str) -> Finding:
    return Finding(
        rule=f"{kind}-undecided", place="", before=None, after=None, severity=Severity.WARNING, undecided=True,
        sentence=f"The documents can't be judged: {flaw}. Mend them, then compare again.",
    )  # fmt: skip
