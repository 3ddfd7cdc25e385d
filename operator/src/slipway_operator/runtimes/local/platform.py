"""Starts PostgreSQL, Kafka and Envoy, hands the services to the release engine, stops all in reverse."""

import base64
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from string import Template

import psutil

from slipway_chassis.config import RUNNING_HERE, KafkaSettings, MachineSettings
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
from .processes import READY_PATH, Processes, ask, stop_all, utc_now
from .progress import Teller
from .reconciler import Reconciler
from .state import Files, replace_file
from .system import Service, System
from .versions import Version, Versions

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
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """``settings``: of every process of a service, beside its own."""
        self.layout = layout
        self._system = system
        self.services = system.services
        self._machine = machine
        self._tell = tell
        self._settings = settings or {}
        self.infrastructure: list[Child] = []  # in the order of their start
        self._leftovers = Leftovers(layout.data / "processes.json")
        self._databases: dict[str, str] = {}
        self._kafka: kafka.Kafka | None = None
        self._groups: Groups | None = None
        self.reconcilers: dict[str, Reconciler] = {}

    # --- start
    def start(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Until all answer, or ``stopped`` says that nobody waits for them any more."""
        layout = self.layout
        for name in self._leftovers.end():
            self._tell(name, "of a former run has ended")
        self._require_programs()
        layout.require_free_ports(self.services)
        wanting = [service.name for service in self.services if service.wants_database]
        if wanting:
            self._start_postgresql(wanting)
        if self._wants_kafka():
            self._start_kafka()
        self._begin_releases()
        self._tell_commands()
        self._start_gateway()
        self._migrate_working_trees()
        self._until_all_answer(stopped)

    def _start_postgresql(self, wanting: Sequence[str]) -> None:
        folder = self.layout.postgresql_data
        server = postgresql.start(folder, port=self.layout.postgresql)
        self.add(server.child)
        elsewhere = "" if folder.is_relative_to(self.layout.data) else f", data in {folder}"
        self._tell("PostgreSQL", f"127.0.0.1:{self.layout.postgresql}{elsewhere}")
        self._databases = {name: server.ensure_database(name) for name in wanting}

    def _wants_kafka(self) -> bool:
        """Whether a service, or a version of it that may come back, has a process that sends or reads events."""
        versions = (
            version
            for service in self.services
            for version in Versions(self.layout.releases(service.name), service).all().values()
            if "KAFKA_BOOTSTRAP_SERVERS" not in service.env
        )
        return any(version.workers for version in versions)

    def _start_kafka(self) -> None:
        layout = self.layout
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

    def add(self, child: Child) -> None:
        """A process that runs: it is started again when it dies, and stopped with the others."""
        self.infrastructure.append(child)
        self._record()

    def _begin_releases(self) -> None:
        self._endpoints = Endpoints(self.layout.endpoints, self.layout.gateway_admin)
        for position, service in enumerate(self.services):
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

    def _tell_commands(self) -> None:
        """What ``slipway dlq``, ``keys``, ``token`` and ``env`` take from the environment elsewhere."""
        settings = {"": {"KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers} if self._kafka else {}}
        for service in self.services:
            url = {"DATABASE_URL": self._databases[service.name]} if service.name in self._databases else {}
            settings[service.name] = {**settings[""], **url, **self._trust(), **self.settings_of(service)}
        replace_file(self.layout.data / RUNNING_HERE.name, json.dumps(settings))

    def _versions_beside(self, service: str) -> dict[str, Version]:
        found = {name: each.first_version for name, each in self.reconcilers.items() if name != service}
        return {name: version for name, version in found.items() if version}

    def _migrate_working_trees(self) -> None:
        """A working tree that was active before may have new migrations since; all at once."""
        for reconciler in self.reconcilers.values():
            reconciler.migrate_working_tree()

    def _until_all_answer(self, stopped: Callable[[], bool]) -> None:
        """All services at once: they wait for what they need, not for each other."""
        ends = time.monotonic() + START_TIMEOUT
        kafka_ready, gateway_ready = self._kafka is None, False
        while not (kafka_ready and gateway_ready and all(each.answers for each in self.reconcilers.values())):
            if not kafka_ready and self._kafka and self._kafka.child.is_up(self._kafka.ready):
                kafka_ready = True
                self._tell("Kafka", self._kafka.bootstrap_servers)
            self.tend()
            if not gateway_ready and ask(self.layout.gateway_metrics, READY_PATH).good:
                gateway_ready = True
                address = f"{self.layout.gateway_url} (for programs also https://localhost:{self.layout.gateway_tls})"
                self._tell("gateway (Envoy)", address)
            for each in self.reconcilers.values():
                each.require_hope()
            if stopped():
                return
            if time.monotonic() > ends:
                late = [name for name, each in self.reconcilers.items() if not each.answers]
                late += [name for name, ready in (("Kafka", kafka_ready), ("the gateway", gateway_ready)) if not ready]
                there = [self.reconcilers[name] for name in late if name in self.reconcilers]
                answers = [answer for each in there for answer in each.processes.answers()]
                asked = f" ({'; '.join(answers)})" if answers else ""
                raise EmbeddedError(
                    f"{', '.join(late)} did not get ready within {START_TIMEOUT:.0f} s{asked}; "
                    f"the logs in {self.layout.data / 'logs'} say more"
                )
            time.sleep(POLL_SECONDS)

    # --- while it runs
    def tend(self) -> list[str]:
        """Starts again what died, and takes each release one look further; returns what was started again."""
        dead = [child for child in self.infrastructure if not child.alive]
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
        self._leftovers.record([*self.infrastructure, *self._everything()])

    def _everything(self) -> Iterator[Child]:
        for reconciler in self.reconcilers.values():
            yield from reconciler.processes.all()

    @property
    def children(self) -> list[Child]:
        """Everything that runs; of two versions of a service the active one's processes."""
        return [*self.infrastructure, *self._children_of_services()]

    def _children_of_services(self) -> Iterator[Child]:
        for reconciler in self.reconcilers.values():
            yield from reconciler.processes.children(reconciler.active).values()

    # --- settings of a process
    def _environment(self, service: Service, version: Version, ports: ServicePorts) -> dict[str, str]:
        environment = {
            "PATH": self._machine.path,
            "PYTHONUNBUFFERED": "1",
            "HTTP_PORT": str(ports.http),
            "GRPC_PORT": str(ports.grpc),
            "SERVICE_VERSION": version.label,
            **self._settings,
        }
        if self._kafka:
            environment["KAFKA_BOOTSTRAP_SERVERS"] = self._kafka.bootstrap_servers
        if service.name in self._databases:
            environment["DATABASE_URL"] = self._databases[service.name]
        if version.source:
            environment["PYTHONPATH"] = version.source
        if version.command:
            environment |= self._for_servers(ports.http)
        return environment | self._trust() | self.settings_of(service, version.env, ports.http)

    def _path(self) -> str:
        """The project's own environment comes first: ``slipway`` may be installed elsewhere."""
        own = Path(".venv", "bin").absolute()
        return f"{own}{os.pathsep}{self._machine.path}" if own.is_dir() else self._machine.path

    def _require_programs(self) -> None:
        for service in self.services:
            if service.command and shutil.which(service.command[0], path=self._path()) is None:
                raise LocalRuntimeError(
                    f"{service.name} is started by {service.command[0]!r}, and no such program is in .venv/bin or on "
                    "the PATH: install it, or activate its environment first"
                )

    def _for_servers(self, port: int) -> dict[str, str]:
        """Where servers of others look for the port; gunicorn by PORT alone would be open to the network."""
        return {
            "PATH": self._path(),
            "PORT": str(port),
            "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
            "FLASK_RUN_PORT": str(port),
        }

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

    def settings_of(self, service: Service, env: Mapping[str, str] | None = None, port: int = 0) -> dict[str, str]:
        """The service's own settings of pyproject.toml, with addresses and secrets put in."""
        known = {"gateway": self.layout.gateway_url, "port": str(port)}
        if service.name in self._databases:
            known["database"] = self._databases[service.name]
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
        children = [*self.infrastructure, *self._everything()]
        return taken([psutil.Process(), *(process for child in children for process in child.family())])

    def stop(self) -> None:
        """Gateway first, then services, then what they depend on."""
        gateway = [child for child in self.infrastructure if child.name == "gateway"]
        rest = [child for child in reversed(self.infrastructure) if child not in gateway]
        (self.layout.data / RUNNING_HERE.name).unlink(missing_ok=True)
        stop_all(gateway)
        stop_all(list(self._everything()))
        for reconciler in self.reconcilers.values():
            reconciler.close()
        if self._groups:
            self._groups.close()
        for child in rest:
            child.stop()
        self.infrastructure.clear()
        self.reconcilers.clear()
        self._record()
