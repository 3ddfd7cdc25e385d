"""Starts PostgreSQL, Kafka and Envoy, hands the services to the release engine, stops all in reverse."""

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from string import Template

import psutil

from slipway_chassis.config import KafkaSettings, MachineSettings
from slipway_chassis.embedded import jars, kafka, postgresql
from slipway_chassis.embedded.processes import Child
from slipway_chassis.errors import EmbeddedError
from slipway_chassis.events.kafka import Groups
from slipway_gateway import development_ca
from slipway_gateway.binary import envoy_binary
from slipway_gateway.config_files import write
from slipway_gateway.inner import Inner, endpoints_name
from slipway_gateway.settings import GatewaySettings, Listen, Tls
from slipway_gateway.settings_file import with_upstreams

from ...errors import LocalRuntimeError
from .gateway import Endpoints
from .layout import INNER, Layout, ServicePorts
from .leftovers import Leftovers
from .memory import Memory, taken
from .processes import Processes, probe, utc_now
from .progress import Teller
from .reconciler import Reconciler
from .state import Files
from .system import Service, System
from .versions import Version

START_TIMEOUT = 120.0
POLL_SECONDS = 0.05


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
        self._infrastructure: list[Child] = []  # in the order of their start
        self._leftovers = Leftovers(layout.data / "processes.json")
        self._databases: dict[str, str] = {}
        self._groups: Groups | None = None
        self.reconcilers: dict[str, Reconciler] = {}

    # --- start
    def start(self) -> None:
        layout = self.layout
        for name in self._leftovers.end():
            self._tell(name, "of a former run has ended")
        layout.require_free_ports(self.services)
        self._postgresql = postgresql.start(layout.data / "postgresql", port=layout.postgresql)
        self.add(self._postgresql.child)
        self._tell("PostgreSQL", f"127.0.0.1:{layout.postgresql}")
        if not jars.jars_folder(self._machine).exists():
            self._tell("Kafka's jars", "are being fetched; once, 45 MB")
        self._kafka = kafka.start(
            layout.data / "kafka",
            port=layout.kafka,
            controller_port=layout.kafka_controller,
            machine=self._machine,
            wait=False,  # services need longer to start than it does, and wait for it themselves
        )
        self.add(self._kafka.child)
        self._groups = Groups(KafkaSettings(kafka_bootstrap_servers=self._kafka.bootstrap_servers))
        self._begin_releases()
        self._start_gateway()
        self._migrate_working_trees()
        self._until_all_answer()

    def add(self, child: Child) -> None:
        """A process that runs: it is started again when it dies, and stopped with the others."""
        self._infrastructure.append(child)
        self._record()

    def _begin_releases(self) -> None:
        self._endpoints = Endpoints(self.layout.endpoints, self.layout.gateway_admin)
        for position, service in enumerate(self.services):
            if "migrate" in service.processes:
                self._databases[service.name] = self._postgresql.ensure_database(service.name)
            folder = self.layout.releases(service.name)
            files = Files(folder)
            teller = Teller(service.name, folder / "journal", self._tell)
            self.reconcilers[service.name] = Reconciler(
                service,
                files,
                processes=Processes(service, position, self.layout, self._environment, teller.line),
                endpoints=self._endpoints,
                hosts=lambda: self._endpoints.hosts(self.services),
                groups=self._groups,
                teller=teller,
                others=partial(self._versions_beside, service.name),
            )

    def _versions_beside(self, service: str) -> dict[str, Version]:
        found = {name: each.first_version for name, each in self.reconcilers.items() if name != service}
        return {name: version for name, version in found.items() if version}

    def _migrate_working_trees(self) -> None:
        """A working tree that was active before may have new migrations since; all at once."""
        for reconciler in self.reconcilers.values():
            reconciler.migrate_working_tree()

    def _until_all_answer(self) -> None:
        """All services at once: they wait for what they need, not for each other."""
        ends = time.monotonic() + START_TIMEOUT
        kafka_ready = gateway_ready = False
        while not (kafka_ready and gateway_ready and all(each.answers for each in self.reconcilers.values())):
            if not kafka_ready and self._kafka.child.is_up(self._kafka.ready):
                kafka_ready = True
                self._tell("Kafka", self._kafka.bootstrap_servers)
            self.tend()
            if not gateway_ready and probe(self.layout.gateway_metrics):
                gateway_ready = True
                address = f"{self.layout.gateway_url} (for programs also https://localhost:{self.layout.gateway_tls})"
                self._tell("gateway (Envoy)", address)
            for each in self.reconcilers.values():
                each.require_hope()
            if time.monotonic() > ends:
                late = [name for name, each in self.reconcilers.items() if not each.answers]
                late += [name for name, ready in (("Kafka", kafka_ready), ("the gateway", gateway_ready)) if not ready]
                raise EmbeddedError(
                    f"{', '.join(late)} did not get ready within {START_TIMEOUT:.0f} s; "
                    f"the logs in {self.layout.data / 'logs'} say why"
                )
            time.sleep(POLL_SECONDS)

    # --- while it runs
    def tend(self) -> list[str]:
        """Starts again what died, and takes each release one look further; returns what was started again."""
        dead = [child for child in self._infrastructure if not child.alive]
        for child in dead:
            child.start()
        names = [child.name for child in dead]
        now = utc_now()
        for reconciler in self.reconcilers.values():
            if reconciler.due(now):
                reconciler.reconcile()
                names += reconciler.processes.restarted()
        self._record()
        return names

    def _record(self) -> None:
        self._leftovers.record([*self._infrastructure, *self._everything()])

    def _everything(self) -> Iterator[Child]:
        for reconciler in self.reconcilers.values():
            yield from reconciler.processes.all()

    @property
    def children(self) -> list[Child]:
        """Everything that runs; of two versions of a service the active one's processes."""
        return [*self._infrastructure, *self._children_of_services()]

    def _children_of_services(self) -> Iterator[Child]:
        for reconciler in self.reconcilers.values():
            yield from reconciler.processes.children(reconciler.active).values()

    # --- settings of a process
    def _environment(self, service: Service, version: Version, ports: ServicePorts) -> dict[str, str]:
        environment = {
            "PATH": self._machine.path,
            "PYTHONUNBUFFERED": "1",
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "HTTP_PORT": str(ports.http),
            "GRPC_PORT": str(ports.grpc),
            "SERVICE_VERSION": version.label,
        }
        if service.name in self._databases:
            environment["DATABASE_URL"] = self._databases[service.name]
        if version.source:
            environment["PYTHONPATH"] = version.source
        return environment | self._trust() | self.settings_of(service, version.env)

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

    def settings_of(self, service: Service, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """The service's own settings of pyproject.toml, with addresses and secrets put in."""
        known = {"gateway": self.layout.gateway_url}
        for position, other in enumerate(self.services):
            known |= {f"{other.name}_{p}": f"127.0.0.1:{self.layout.inner(position, p)}" for p in INNER}
        settings = {}
        for name, value in (service.env if env is None else env).items():
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
        """Where each service is reached inside the machine, whatever version answers."""
        found = {}
        for position, service in enumerate(self.services):
            protocol = "grpc" if "grpc" in service.processes else "http"
            found[service.name] = ("127.0.0.1", self.layout.inner(position, protocol))
        return found

    # --- the gateway
    def _start_gateway(self) -> None:
        folder = self.layout.data / "gateway"
        config = folder / "envoy.json"
        write(self._gateway_settings(folder), config, self._inner())
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
        self.add(child)

    def _inner(self) -> Inner:
        ports = {
            endpoints_name(service.name, protocol): self.layout.inner(position, protocol)
            for position, service in enumerate(self.services)
            for protocol in INNER
            if protocol in service.processes
        }
        return Inner(str(self.layout.endpoints), ports)

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
                redirect=False,  # nothing of this machine leaves it, and no browser knows the authority
                hsts_seconds=0,  # a browser would insist on HTTPS for everything on this machine
            ),
            descriptor_file=str(descriptor) if descriptor else None,
        )

    # --- for others
    def admin_port(self, process: str) -> int:
        """The health and metrics port of a process named as in ``children``: "orders worker"."""
        service, _, kind = process.partition(" ")
        reconciler = self.reconcilers[service]
        return reconciler.processes.admin_port(kind, reconciler.active)

    def memory(self) -> Memory:
        """What all processes take, this one and children's children included."""
        children = [*self._infrastructure, *self._everything()]
        return taken([psutil.Process(), *(process for child in children for process in child.family())])

    def stop(self) -> None:
        """Gateway first, then services, then what they depend on."""
        gateway = [child for child in self._infrastructure if child.name == "gateway"]
        rest = [child for child in reversed(self._infrastructure) if child not in gateway]
        _stop(gateway)
        _stop(list(self._everything()))
        for reconciler in self.reconcilers.values():
            reconciler.close()
        if self._groups:
            self._groups.close()
        for child in rest:
            child.stop()
        self._infrastructure.clear()
        self.reconcilers.clear()
        self._record()


def _stop(children: Sequence[Child]) -> None:
    """All are asked first, then waited for: their stops take as long as the longest."""
    for child in children:
        if child.alive:
            child.ask_to_end()
    for child in children:
        child.stop()
