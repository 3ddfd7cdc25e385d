"""Starts PostgreSQL, Kafka, the services and Envoy in order, starts again what dies, stops all in reverse."""

import base64
import http.client
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

import psutil

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded import kafka, postgresql
from slipway_chassis.embedded.processes import Child
from slipway_chassis.errors import EmbeddedError

from ...errors import LocalRuntimeError
from ...gateway import development_ca
from ...gateway.binary import envoy_binary
from ...gateway.cli import write
from ...gateway.reading import with_upstreams
from ...gateway.settings import GatewaySettings, Listen, Tls
from .layout import Layout
from .system import Service, System

START_TIMEOUT = 60.0


class Platform:
    """``tell`` gets one line for each finished step: what, and a remark."""

    def __init__(
        self,
        layout: Layout,
        system: System,
        *,
        machine: MachineSettings,
        tell: Callable[[str, str], None],
    ) -> None:
        self.layout = layout
        self._system = system
        self.services = system.services
        self._machine = machine
        self._tell = tell
        self.children: list[Child] = []  # in the order of their start

    def start(self) -> None:
        layout = self.layout
        layout.require_free_ports(self.services)
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
        environments = [self._environment(position) for position in range(len(self.services))]
        migrations = [
            self._child(service, "migrate", environment)
            for service, environment in zip(self.services, environments, strict=True)
            if "migrate" in service.processes
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
        self._tell("migrations", ", ".join(child.name.partition(" ")[0] for child in migrations))
        waiting: list[tuple[Child, int]] = []
        for position, service in enumerate(self.services):
            for process, port in self._admin_ports(position).items():
                child = self._child(service, process, environments[position] | {"ADMIN_PORT": str(port)})
                child.start()
                self.children.append(child)
                waiting.append((child, port))
        for child, port in waiting:
            child.wait_until(lambda port=port: _ready(port), START_TIMEOUT)  # type: ignore[misc]
            self._tell(child.name, f"health and metrics on 127.0.0.1:{port}")

    def _environment(self, position: int) -> dict[str, str]:
        service, ports = self.services[position], self.layout.of_service(position)
        environment = {
            "PATH": self._machine.path,
            "PYTHONUNBUFFERED": "1",
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "HTTP_PORT": str(ports.http),
            "GRPC_PORT": str(ports.grpc),
            "SERVICE_VERSION": "dev",
        }
        if "migrate" in service.processes:
            environment["DATABASE_URL"] = self._postgresql.ensure_database(service.name)
        return environment | self._trust() | self.settings_of(service)

    def _trust(self) -> dict[str, str]:
        """The same tokens are accepted by the gateway and by every service behind it."""
        auth = self._system.gateway.auth
        if auth is None:
            return {}
        host, port = self._addresses()[auth.jwks_upstream]
        return {
            "AUTH_ISSUER": self.layout.gateway_url,
            "AUTH_AUDIENCE": auth.audience,
            "AUTH_JWKS_URL": f"http://{host}:{port}{auth.jwks_path}",
        }

    def settings_of(self, service: Service) -> dict[str, str]:
        """The service's own settings of pyproject.toml, with addresses and secrets put in."""
        known = {"gateway": self.layout.gateway_url}
        for position, other in enumerate(self.services):
            ports = self.layout.of_service(position)
            known |= {f"{other.name}_http": f"127.0.0.1:{ports.http}", f"{other.name}_grpc": f"127.0.0.1:{ports.grpc}"}
        settings = {}
        for name, value in service.env.items():
            secret = self._secret(f"{service.name}-{name}") if "${secret}" in value else ""
            try:
                settings[name] = Template(value).substitute(known, secret=secret)
            except (KeyError, ValueError) as error:
                raise LocalRuntimeError(
                    f"pyproject.toml, services.{service.name}.env.{name}: ${{{error}}} is not known here, "
                    f"only: secret, {', '.join(known)}"
                ) from None
        return settings

    def _secret(self, name: str) -> str:
        """32 random bytes, made once: what they encrypted must be readable at the next start."""
        file = self.layout.data / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return file.read_text()

    def _addresses(self) -> dict[str, tuple[str, int]]:
        """Where each service listens."""
        found = {}
        for position, service in enumerate(self.services):
            ports = self.layout.of_service(position)
            found[service.name] = ("127.0.0.1", ports.grpc if "grpc" in service.processes else ports.http)
        return found

    def _child(self, service: Service, process: str, environment: dict[str, str]) -> Child:
        name = f"{service.name} {process}"
        log = self.layout.data / "logs" / f"{service.name}-{process}.log"
        argv = [sys.executable, "-m", "slipway_chassis", "run", service.name, process]
        return Child(name, argv, log, environment)

    def _start_gateway(self) -> None:
        layout = self.layout
        folder = layout.data / "gateway"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "envoy.json"
        write(self._gateway_settings(folder), config)
        argv = [
            envoy_binary(),
            "-c",
            str(config),
            "--concurrency",
            "1",  # thousands of requests a second, and the other cores stay with the services
            "--use-dynamic-base-id",
            "-l",
            "warning",
        ]
        child = Child("gateway", argv, folder / "envoy.log")
        child.start()
        self.children.append(child)
        child.wait_until(lambda: _ready(layout.gateway_metrics), START_TIMEOUT)
        self._tell(
            "gateway (Envoy)", f"{layout.gateway_url} (for programs also https://localhost:{layout.gateway_tls})"
        )

    def _gateway_settings(self, folder: Path) -> GatewaySettings:
        layout, declared = self.layout, self._system.gateway
        certificates = development_ca.ensure(folder / "certificates")
        descriptor = (
            self._system.gateway_file.parent / "files" / Path(declared.transcode.descriptor_file).name
            if declared.transcode
            else None
        )
        return with_upstreams(
            declared,
            self._addresses(),
            issuer=layout.gateway_url,
            listen=Listen(
                port=layout.gateway,
                tls_port=layout.gateway_tls,
                metrics_port=layout.gateway_metrics,
                admin_port=layout.gateway_admin,
            ),
            tls=Tls(
                enabled=True,
                certificate_file=str(certificates.certificate),
                key_file=str(certificates.key),
                hsts_seconds=0,  # a browser would insist on HTTPS for everything on this machine
            ),
            descriptor_file=str(descriptor) if descriptor else None,
        )

    def admin_port(self, process: str) -> int:
        """The health and metrics port of a process named as in ``children``: "orders relay"."""
        service, _, kind = process.partition(" ")
        position = [declared.name for declared in self.services].index(service)
        return self._admin_ports(position)[kind]

    def _admin_ports(self, position: int) -> dict[str, int]:
        """The admin port of each process of a service that goes on running."""
        ports = self.layout.of_service(position).admin
        return {process: ports[process] for process in self.services[position].processes if process in ports}

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


def _ready(admin_port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
