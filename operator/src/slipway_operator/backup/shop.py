"""What runs here, as a backup needs it: found by its data folder, like ``slipway release`` finds it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from slipway_chassis.config import RUNNING_HERE, KafkaSettings, load
from slipway_chassis.embedded.postgresql import password_of
from slipway_chassis.events.kafka import Groups

from ..errors import BackupError, NotRunning
from ..runtimes.local.layout import Layout, default_data, remembered
from ..runtimes.local.leftovers import Leftovers
from ..runtimes.local.releasing import Controls
from ..runtimes.local.system import Service, System, read
from ..spec.fields import CONSUMING
from .databases import SUPERUSER

FOLDER = "backups"
RELEASE_FILES = ("wish", "state", "status")


@dataclass(frozen=True)
class Shop:
    """A ``slipway up`` that runs on ``layout.data``."""

    layout: Layout
    system: System

    # --- services
    def chosen(self, names: Sequence[str]) -> list[Service]:
        """Services with a database of their own: those named, or all. BackupError for one that has none."""
        having = {each.name: each for each in self.system.services if each.wants_database}
        for name in names:
            if name not in having:
                raise BackupError(f"{name} has no database here; services that have one: {', '.join(having) or 'none'}")
        if not having:
            raise BackupError("no service here has a database: there is nothing to keep")
        return [having[name] for name in dict.fromkeys(names)] if names else list(having.values())

    def controls(self, service: str) -> Controls:
        """NotRunning when nothing runs on the data folder any more."""
        return Controls(self.layout, self.system, service)

    def version(self, service: str) -> str:
        """That answers requests."""
        return self.controls(service).status().active_version

    def running(self, service: str) -> list[str]:
        """Names of the service's processes that run now."""
        there = Leftovers(self.layout.data / "processes.json").running()
        return [name for name, _ in there if name.startswith(f"{service} ")]

    # --- databases
    def url(self, database: str, role: str = SUPERUSER, /) -> str:
        """Holds the password: it is for programs alone."""
        return f"postgresql://{role}:{quote(self.password, safe='')}@127.0.0.1:{self.layout.postgresql}/{database}"

    @cached_property
    def password(self) -> str:
        """One for all roles of the data folder."""
        return password_of(self.layout.postgresql_data)

    # --- Kafka
    def kafka(self, service: Service) -> KafkaSettings | None:
        """Where the service's brokers are; None when it has none."""
        settings = self._settings.get(service.name, {})
        return load(KafkaSettings, settings) if "KAFKA_BOOTSTRAP_SERVERS" in settings else None

    def groups(self, service: Service) -> Groups | None:
        """Asks about the service's consumer group; None for a service that reads no events. Close it."""
        settings = self.kafka(service) if set(CONSUMING) & set(service.processes) else None
        return Groups(settings) if settings else None

    def group_of(self, service: Service) -> str:
        return service.group

    @cached_property
    def _settings(self) -> Mapping[str, Mapping[str, str]]:
        file = self.layout.data / RUNNING_HERE.name
        try:
            found: dict[str, dict[str, str]] = json.loads(file.read_text())
        except (OSError, ValueError):
            raise NotRunning(f"slipway up on {self.layout.data} has not begun its services yet: try again") from None
        return found

    # --- files
    def releases_of(self, service: str) -> dict[str, Path]:
        """Files that say what is wanted of its versions and how it is, by name."""
        files = {f"{name}.json": self.layout.releases(service) / f"{name}.json" for name in RELEASE_FILES}
        return {name: file for name, file in files.items() if file.is_file()}

    @property
    def restores(self) -> Path:
        """Folder of notes about restores, for their owner alone."""
        folder = self.layout.data / "restores"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def secrets_of(self, service: str) -> dict[str, Path]:
        """Files of what was made by chance for the service's settings, by name; a backup calls them by the same."""
        folder = self.layout.data / "secrets"
        found = sorted(folder.glob(f"{service}-*")) if folder.is_dir() else []
        return {file.name: file for file in found if file.is_file() and not file.is_symlink()}


def shop_on(data: Path | None, project: Path) -> Shop:
    """NotRunning when nothing runs there."""
    folder = (data or default_data(project)).absolute()
    layout = Layout(folder, gateway=0, base=remembered(folder)[1])
    layout.require_running()
    return Shop(layout, read(project))


def default_folder(data: Path | None, project: Path) -> Path:
    """Where backups go when nobody says where: it is removed with the data."""
    return (data or default_data(project)).absolute() / FOLDER
