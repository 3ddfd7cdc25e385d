"""The parts that a laptop runs as processes, where they differ from what a cluster has."""

import uuid

import pytest

from slipway_chassis.config import MachineSettings, load
from slipway_chassis.embedded import kafka
from slipway_chassis.embedded.processes import free_port


@pytest.mark.integration
def test_kafka_starts_with_an_id_that_looks_like_an_option(run_folder, monkeypatch):
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    folder = run_folder / "kafka-id"

    broker = kafka.start(folder, port=free_port(), controller_port=free_port(), machine=load(MachineSettings))
    broker.child.stop()

    assert "cluster.id=-A" in (folder / "data" / "meta.properties").read_text()
