"""Where databases and brokers are, as ``slipway up`` tells its commands."""

import json
from collections.abc import Mapping

from slipway_chassis.config import RUNNING_HERE, KafkaSettings, load

from ....errors import NotRunning
from ..layout import Layout

BROKERS = "KAFKA_BOOTSTRAP_SERVERS"


class Addresses:
    """NotRunning where nothing was told yet."""

    def __init__(self, layout: Layout) -> None:
        self._file = layout.data / RUNNING_HERE.name

    def _told(self) -> Mapping[str, Mapping[str, str]]:
        try:
            found: dict[str, dict[str, str]] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            raise NotRunning(
                "the services have not begun yet, so nobody says where databases and brokers are"
            ) from None
        return found

    def databases(self) -> dict[str, str]:
        """By service; they hold passwords."""
        return {name: told["DATABASE_URL"] for name, told in self._told().items() if name and "DATABASE_URL" in told}

    def broker(self) -> KafkaSettings | None:
        """The one that runs here; None where no service wants one."""
        told = self._told().get("", {})
        return load(KafkaSettings, told) if BROKERS in told else None

    def elsewhere(self, service: str) -> str:
        """The service's brokers, where they are not the one that runs here; else empty."""
        told = self._told()
        here, own = told.get("", {}).get(BROKERS, ""), told.get(service, {}).get(BROKERS, "")
        return own if own != here else ""
