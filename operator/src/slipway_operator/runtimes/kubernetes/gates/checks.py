"""Gates that the operator runs itself: one short question each, whose answer is kept before anything counts on it.

Nothing goes on in the background. An operator that ends while it asks has kept no result, and the next one asks again.
"""

import asyncio
import json
import math
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ....planning.observed import GateState
from ....spec.gates import Gate, HttpGate, PrometheusGate
from ....spec.microservice import ServicePort
from ..api.addresses import Addresses
from ..objects.manifests import preview_name

ASK_SECONDS = 5
LONGEST_BODY = 64 * 1024
HTTP_PORT = 80
OK = 200


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str


class Fetcher(Protocol):
    async def fetch(self, url: str, query: dict[str, str]) -> Answer | None:
        """None: no answer, or not in time."""


class HttpFetcher:
    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def fetch(self, url: str, query: dict[str, str]) -> Answer | None:
        found = await _asked(url, query, CheckedResolver(self._addresses))
        return Answer(found[0], found[1].decode(errors="replace")) if found else None


class CheckedResolver(AbstractResolver):
    """A name is connected to by the very addresses that were checked: the next answer for it may be another one."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        flags = socket.AI_ADDRCONFIG | socket.AI_CANONNAME
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
        canonical = next((name for *_, name, _ in found if name), "")
        made = []
        for kind, _, protocol, _, address in found:
            ip = str(address[0])
            if self._addresses.leads_astray(host, port, canonical, ip):
                raise OSError(f"{host} leads to {ip}, which is not asked")
            made.append(
                ResolveResult(
                    hostname=host, host=ip, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        return made

    async def close(self) -> None:
        return None


async def _asked(url: str, query: dict[str, str], resolver: AbstractResolver) -> tuple[int, bytes] | None:
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    try:
        # A connection that is kept could lead to a version that had the preview Service before.
        async with (
            aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(force_close=True, resolver=resolver)
            ) as session,
            session.get(url, params=query, allow_redirects=False) as response,
        ):
            body = bytearray()
            while len(body) < LONGEST_BODY and (chunk := await response.content.read(LONGEST_BODY - len(body))):
                body += chunk
            return response.status, bytes(body)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


Result = tuple[GateState, str]


def preview_url(service: str, namespace: str, ports: Sequence[ServicePort], port: str = "") -> str:
    return url_of(preview_name(service), namespace, ports, port)


def url_of(name: str, namespace: str, ports: Sequence[ServicePort], port: str = "") -> str:
    """Of a Service, and of one of its ports by name."""
    number = next((each.port for each in ports if not port or each.name == port), HTTP_PORT)
    suffix = "" if number == HTTP_PORT else f":{number}"
    return f"http://{name}.{namespace}.svc{suffix}"


async def checked(gate: Gate, fetcher: Fetcher, *, version: str, preview: str) -> Result:
    if gate.http:
        return await _http(gate.http, fetcher, preview)
    assert gate.prometheus  # noqa: S101 # the other types are asked elsewhere
    return await _prometheus(gate.prometheus, fetcher, version)


async def _http(gate: HttpGate, fetcher: Fetcher, preview: str) -> Result:
    answer = await fetcher.fetch(preview + gate.path, {})
    if answer is None:
        return GateState.INCONCLUSIVE, f"{gate.path} was not answered within {ASK_SECONDS} s"
    if answer.status != gate.status:
        return GateState.FAILED, f"{gate.path} answered {answer.status}, not {gate.status}"
    if gate.contains not in answer.body:
        return GateState.FAILED, f"the answer of {gate.path} does not contain {gate.contains!r}"
    return GateState.PASSED, ""


async def _prometheus(gate: PrometheusGate, fetcher: Fetcher, version: str) -> Result:
    query = gate.query.replace("{{version}}", version)
    answer = await fetcher.fetch(f"{gate.address.rstrip('/')}/api/v1/query", {"query": query})
    if answer is None or answer.status != OK:
        said = f"answered {answer.status}" if answer else "did not answer"
        return GateState.INCONCLUSIVE, f"Prometheus {said}"
    value = _number(answer.body)
    if value is None:
        return GateState.INCONCLUSIVE, "the query has no data"
    if gate.min is not None and value < gate.min:
        return GateState.FAILED, f"{value:g} is less than {gate.min:g}"
    if gate.max is not None and value > gate.max:
        return GateState.FAILED, f"{value:g} is more than {gate.max:g}"
    return GateState.PASSED, f"{value:g}"


def _number(body: str) -> float | None:
    """The one number of a result; none, several and NaN are no data."""
    try:
        data: Any = json.loads(body)["data"]
        result = data["result"]
        value = float(result[1] if data["resultType"] == "scalar" else _only(result)["value"][1])
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return None if math.isnan(value) else value


def _only(result: Any) -> Any:
    [one] = result
    return one
