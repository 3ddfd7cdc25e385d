"""Pods of a version that requests have left: they let go of the clients that keep their connections."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from ....spec.fields import SERVING
from ..api.answers import Manifest
from ..api.client import Client
from ..api.kinds import COMPONENT_LABEL, DEPLOYMENT, DRAINING_LABEL, POD, RENEWED, VERSION_LABEL

if TYPE_CHECKING:
    from .executing import ReconcileContext


async def mark(client: Client, context: "ReconcileContext", version: str) -> None:
    """Their processes read it, and close connections after the next answer."""
    await _label(client, context, version, "true")


async def unmark(client: Client, context: "ReconcileContext", version: str) -> None:
    """The pods stay, whatever was done to them."""
    await _label(client, context, version, None)
    for name, deployment in _deployments(context, version):
        if _is_renewed(deployment):
            patch = {"metadata": {"annotations": {RENEWED: None}}}
            await client.merge(DEPLOYMENT, context.key.namespace, name, patch)


async def renew(client: Client, context: "ReconcileContext", version: str, now: datetime) -> None:
    """The template changes, so each Deployment replaces its pods, as ``kubectl rollout restart`` does it.

    The annotation is merged: one that others own is kept when the Deployment is applied.
    """
    for name, deployment in _deployments(context, version):
        if not _is_renewed(deployment):
            noted = {"metadata": {"annotations": {RENEWED: now.isoformat()}}}
            patch = noted | {"spec": {"template": noted}}
            await client.merge(DEPLOYMENT, context.key.namespace, name, patch)


async def _label(client: Client, context: "ReconcileContext", version: str, value: str | None) -> None:
    for pod in context.seen.pods:
        metadata = pod["metadata"]
        changes = metadata["labels"].get(DRAINING_LABEL) != value and not metadata.get("deletionTimestamp")
        if _serves(metadata, version) and changes:
            patch = {"metadata": {"labels": {DRAINING_LABEL: value}}}
            await client.merge(POD, context.key.namespace, metadata["name"], patch)


def _deployments(context: "ReconcileContext", version: str) -> Iterator[tuple[str, Manifest]]:
    return ((name, each) for name, each in context.seen.deployments.items() if _serves(each["metadata"], version))


def _serves(metadata: Manifest, version: str) -> bool:
    labels = metadata["labels"]
    return labels.get(VERSION_LABEL) == version and labels.get(COMPONENT_LABEL) in SERVING


def _is_renewed(deployment: Manifest) -> bool:
    return RENEWED in (deployment["metadata"].get("annotations") or {})
