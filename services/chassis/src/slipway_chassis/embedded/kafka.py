"""One Kafka broker in KRaft mode as a child process: its ``jars``, and a Java of the machine or of a wheel."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import MachineSettings
from ..errors import EmbeddedError
from .jars import jars
from .java import find_java
from .processes import Child, port_open

LOGGING = Path(__file__).parent / "kafka-log4j2.yaml"


@dataclass(frozen=True)
class Kafka:
    """A broker on 127.0.0.1 with its log in ``directory``; a second start keeps the records."""

    child: Child
    port: int

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.child.start_and_wait(self.ready, timeout=90)

    def ready(self) -> bool:
        return port_open(self.port)


def start(
    directory: Path,
    *,
    port: int,
    controller_port: int,
    machine: MachineSettings,
    wait: bool = True,
    properties: Mapping[str, object] = {},
) -> Kafka:
    """Starts a broker, formatting its storage the first time. Without ``wait`` it may not be ready yet.
    ``properties`` are Kafka's own, and take precedence.
    """
    java, libs = find_java(machine), jars(machine)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "server.properties"
    settings = {**_properties(directory / "data", port, controller_port), **properties}
    file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    command = [java, "-cp", f"{libs}/*", f"-Dlog4j2.configurationFile={LOGGING}"]
    if not (directory / "data" / "meta.properties").exists():
        _format(command, file, directory)
    # A quarter of a gigabyte is plenty for one laptop; the serial collector and the quick compiler
    # start fastest on few cores.
    tuning = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    argv = [command[0], *tuning, *command[1:], "kafka.Kafka", str(file)]
    kafka = Kafka(Child("Kafka", argv, directory / "kafka.log"), port)
    if wait:
        kafka.start()
    else:
        kafka.child.start()
    return kafka


def _format(command: list[str], properties: Path, directory: Path) -> None:
    shutil.rmtree(directory / "data", ignore_errors=True)
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # With "=", or each 64th id would be taken for an option: it begins with "-".
    argv = [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmbeddedError(f"formatting Kafka's storage failed: {(done.stdout + done.stderr).strip()[-1500:]}")


def _properties(data: Path, port: int, controller_port: int) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        # Nobody else joins the group of a single consumer: no reason to wait for more members.
        "group.initial.rebalance.delay.ms": 0,
        "log.segment.bytes": 16 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    }
