"""All objects of one service at one moment. What fetches them is apart: ``kubectl slipway`` has another client."""

from dataclasses import dataclass, field
from typing import Any

from ....spec.serviceversion import ServiceVersionSpec

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """The objects as they came, by name where they are looked up."""

    microservice: Manifest
    versions: dict[str, Manifest]  # by hash
    records: dict[str, ServiceVersionSpec]  # by hash
    deployments: dict[str, Manifest]
    services: dict[str, Manifest]
    budgets: dict[str, Manifest]
    pods: list[Manifest]
    slices: list[Manifest]
    jobs: list[Manifest]
    pods_are_new: bool = False  # as the storage had them after the look began; else as far as anybody told of them
    config_maps: dict[str, Manifest | None] = field(default_factory=dict)  # that were asked for; None: there is none
    not_ours: str = ""  # whose an object is that a new version needs by its name
    missing: str = ""  # what the spec's version can't be recorded without
