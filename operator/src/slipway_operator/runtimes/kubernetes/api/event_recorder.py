"""Events: what happened, told where people look, once."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from ....errors import Refused
from ....planning.steps import Emit
from .client import Client
from .kinds import EVENT, MANAGER, Kind

Manifest = dict[str, Any]


async def post_event(
    client: Client, kind: Kind, about: Manifest, said: Emit, *, of: str, by: str, at: datetime
) -> None:
    """The name is made of the words and of what they are said of, so that a repeated Event is the same one.

    ``about`` is the object as it was read, ``of`` the try that the words belong to, ``by`` the replica that says them.
    """
    metadata = about["metadata"]
    words = f"{metadata['uid']}/{of}/{said.reason}/{said.message}"
    event = {
        "metadata": {"name": f"{metadata['name']}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"},
        "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"slipway.dev/{MANAGER}",
        "reportingInstance": by[:128],
        "action": "Release",
        "reason": said.reason,
        "note": said.message[:1024],
        "type": said.kind,
        "regarding": {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
    try:
        await client.create(EVENT, metadata["namespace"], event)
    except Refused:
        # A namespace that is full, or closes, must not keep a release from going on or back.
        return
