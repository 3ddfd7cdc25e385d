"""JSON in one form, and the digest of it."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Sorted keys, no spaces, and 1.0 as 1: texts are equal exactly if JSON Schema calls the values equal.

    >>> canonical({"b": 1.0, "a": [True]})
    '{"a":[true],"b":1}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
