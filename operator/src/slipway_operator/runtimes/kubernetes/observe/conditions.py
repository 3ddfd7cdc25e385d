"""What Kubernetes' objects say of themselves: conditions and times."""

from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]


def condition(thing: Manifest, kind: str) -> Manifest:
    for each in thing.get("status", {}).get("conditions") or []:
        if each["type"] == kind:
            return dict(each)
    return {}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
