"""What Envoy is told of endpoints, by files that it reads when they are replaced, and what it says it has."""

import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway_gateway.inner import endpoints, endpoints_file, endpoints_name

from .state import replace_file
from .system import Service

ASK_SECONDS = 2
INNER = "inner-"


class Endpoints:
    """The endpoints' files in ``folder``; Envoy's admin page on ``admin_port`` says which of them it has read."""

    def __init__(self, folder: Path, admin_port: int) -> None:
        self._folder = folder
        self._admin_port = admin_port
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, service: Service, wanted: Mapping[str, Sequence[int]]) -> None:
        """Replaces the files that differ; what is equal is left alone, so that Envoy reads nothing anew."""
        for protocol, ports in wanted.items():
            name = endpoints_name(service.name, protocol)
            file = Path(endpoints_file(str(self._folder), name))
            text = json.dumps(endpoints(name, ports))
            if not file.exists() or file.read_text() != text:
                replace_file(file, text)

    def hosts(self, services: Sequence[Service]) -> dict[str, dict[str, list[int]]] | None:
        """For each service, the ports that Envoy sends its requests to, by protocol. None: it does not answer."""
        answer = self._ask("/clusters?format=json")
        if answer is None:
            return None
        found: dict[str, dict[str, list[int]]] = {service.name: {} for service in services}
        names = {service.name for service in services}
        for cluster in answer.get("cluster_statuses", ()):
            service, _, protocol = str(cluster["name"]).removeprefix(INNER).rpartition("-")
            if str(cluster["name"]).startswith(INNER) and service in names:
                found[service][protocol] = [_port(host) for host in cluster.get("host_statuses", ())]
            elif cluster["name"] in names:  # the same endpoints, as the gateway's own routes have them
                found[str(cluster["name"])]["routes"] = [_port(host) for host in cluster.get("host_statuses", ())]
        return found

    def _ask(self, path: str) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin_port, timeout=ASK_SECONDS)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        else:
            return answer
        finally:
            connection.close()


def _port(host: Mapping[str, Any]) -> int:
    return int(host["address"]["socket_address"]["port_value"])
