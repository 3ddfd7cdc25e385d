"""One judge of contracts: the operator, a laptop and ``slipway contracts check`` say the same of the same documents."""

import asyncio
import json
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from slipway_chassis.cli.contracts import contracts as command
from slipway_chassis.contracts import Contracts
from slipway_chassis.contracts.bundle import ASYNCAPI, CONSUMES, pretty
from slipway_chassis.contracts.tree import shown
from slipway_operator.runtimes.kubernetes.api.kinds import (
    MICROSERVICE,
    SERVICE_LABEL,
    SERVING_LABEL,
    VERSION_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.gates import contract_gate
from slipway_operator.runtimes.local import promises
from slipway_operator.runtimes.local.versions import Version
from slipway_operator.spec.gates import ContractsGate

OLD, NEW = "aaaaaaaa", "bbbbbbbb"
EVENT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
ROUTE = {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}}}
SENT = "events/parcels.Sent.v1.schema.json"


def api(*paths):
    return {"openapi": "3.1.0", "paths": dict.fromkeys(paths, ROUTE)}


def bundle(service, **documents):
    """Files by path, with an index that fits."""
    files = {}
    for name, document in documents.items():
        path = {"sent": SENT, "consumes": CONSUMES, "asyncapi": ASYNCAPI}.get(name, f"openapi.{name}.json")
        files[path] = document if isinstance(document, bytes) else pretty(document)
    return {**files, "index.json": Contracts(service, files).index()}


def calls(service, path):
    return {"calls": [{"service": service, "method": "GET", "path": path}]}


PARCELS = bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT)
SHOP = bundle("shop", consumes=calls("parcels", "/v1/parcels"))


class Case(NamedTuple):
    candidate: dict
    result: str
    message: str
    active: dict | None = PARCELS
    others: dict = {"shop": SHOP}
    allowed: str = "Passed"  # with allowBreaking


CASES = {
    "nothing changed": Case(PARCELS, "Passed", "nothing changed"),
    "a first version": Case(PARCELS, "Passed", "there was nothing to compare with", active=None),
    "a compatible change": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices", "/v1/more"), sent=EVENT), "Passed", "1 compatible change"
    ),
    "a route is gone": Case(
        bundle("parcels", v1=api("/v1/parcels"), sent=EVENT), "Failed", "/v1/prices is gone"
    ),
    "a route that somebody calls is gone": Case(
        bundle("parcels", v1=api("/v1/prices"), sent=EVENT), "Failed",
        "2 changes break somebody. ", others={"shop": SHOP},
    ),
    "the provider lacks the route": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, consumes=calls("stock", "/v1/rest")),
        "Failed", "parcels calls GET /v1/rest of stock, and stock has no such operation",
        others={"shop": SHOP, "stock": bundle("stock", v1=api("/v1/items"))},
    ),
    "it can't be read": Case(
        {**PARCELS, SENT: b"[]"}, "Failed", "The contracts can't be read: ", allowed="Failed"
    ),
    "its declaration can't be read": Case(
        bundle("parcels", v1=api("/v1/parcels"), consumes={"reads": 7}), "Failed", "The contracts can't be read: ",
        allowed="Failed",
    ),
    "a document is no object": Case(
        bundle("parcels", v1=[7]), "Failed", "The contracts can't be read: openapi.v1.json", allowed="Failed"
    ),
    "it upsets the rules": Case(
        bundle("parcels", v1=api("/v1/parcels"), asyncapi={"operations": {"read": 7}}), "Failed",
        "The contracts can't be read: they can't be compared: ", allowed="Failed",
    ),
    "the active version can't be read": Case(
        PARCELS, "Passed", "there was nothing to compare with", active={**PARCELS, SENT: b"[]"}
    ),
    "another one can't be read": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices", "/v1/more"), sent=EVENT), "Inconclusive",
        "What shop relies on is unknown: ", others={"shop": bundle("shop", consumes={"reads": 7})},
    ),
    "a major goes and nobody knows who calls it": Case(
        bundle("parcels", v2=api("/v2/parcels"), sent=EVENT), "Inconclusive", "v1 is gone", others={},
    ),
}  # fmt: skip


# --- three ways to ask
class Namespace:
    def __init__(self, case):
        self.pods = []
        if case.active:
            self._pod("parcels", OLD, case.active)
        self._pod("parcels", NEW, case.candidate)
        for name, files in case.others.items():
            self._pod(name, OLD, files)
        self.services = [{"metadata": {"name": name}, "status": {"activeVersion": OLD}} for name in case.others]

    def _pod(self, service, version, files):
        address = f"10.0.0.{len(self.pods) + 1}"
        labels = {SERVICE_LABEL: service, VERSION_LABEL: version, SERVING_LABEL: "true"}
        self.pods.append({
            "metadata": {"labels": labels}, "files": files,
            "spec": {"containers": [{"ports": [{"name": "admin", "containerPort": 9100}]}]},
            "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
        })  # fmt: skip

    async def list(self, kind, namespace, *, selector=""):
        return self.services if kind is MICROSERVICE else self.pods

    async def fetch_bytes(self, url, most):
        address, _, path = url.removeprefix("http://").partition("/")
        pod = next(each for each in self.pods if each["status"]["podIP"] == address.partition(":")[0])
        content = pod["files"].get(path.removeprefix("contracts").removeprefix("/") or "index.json")
        return (404, b"") if content is None else (200, content)


def operator(case, *, allow, tmp_path):
    there = Namespace(case)
    pods = [each for each in there.pods if each["metadata"]["labels"][SERVICE_LABEL] == "parcels"]
    found = asyncio.run(
        contract_gate.compared(
            there, there, ContractsGate(allow_breaking=allow), Key("shop", "parcels"),
            pods=pods, active=OLD if case.active else "", candidate=NEW,
        )
    )  # fmt: skip
    return found.state.value, found.message


def laptop(case, *, allow, tmp_path, monkeypatch=None):
    versions = {name: _version(name) for name in (OLD, NEW)}
    files = {("parcels", OLD): case.active, ("parcels", NEW): case.candidate}
    files |= {(name, OLD): other for name, other in case.others.items()}

    class Exports:
        def of(self, service, version):
            return shown(files[service, version.hash].__getitem__)

    found = promises.judged(
        Exports(), "parcels", versions[OLD] if case.active else None, versions[NEW],
        dict.fromkeys(case.others, versions[OLD]), providers=case.others.keys(), allow_breaking=allow,
    )  # fmt: skip
    return found[0].value, found[1]


def _version(name):
    return Version(hash=name, label=name, processes=("http",), made=datetime(2026, 1, 1, tzinfo=UTC))


def ci(case, *, allow, tmp_path):
    def tree(name, services):
        for service, files in services.items():
            for path, content in files.items():
                place = tmp_path / name / "services" / service / "contracts" / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        return str(tmp_path / name)

    (tmp_path / "old").mkdir()
    old = tree("old", {**case.others, **({"parcels": case.active} if case.active else {})})
    new = tree("new", {**case.others, "parcels": case.candidate})
    done = CliRunner().invoke(command, ["check", "--root", new, "--against", old, "--output", "json"])
    found = json.loads(done.output)["services"]["parcels"]
    return found["result"], found["message"]


@pytest.mark.parametrize("name", CASES)
def test_all_three_say_the_same(name, tmp_path):
    case = CASES[name]

    said = {way.__name__: way(case, allow=False, tmp_path=tmp_path) for way in (operator, laptop, ci)}

    assert len(set(said.values())) == 1, said
    assert said["ci"][0] == case.result
    assert case.message in said["ci"][1]


@pytest.mark.parametrize("name", CASES)
def test_both_runtimes_allow_the_same(name, tmp_path):
    """What breaks and what is undecided; never what could not be read."""
    case = CASES[name]

    said = {way.__name__: way(case, allow=True, tmp_path=tmp_path) for way in (operator, laptop)}

    assert len(set(said.values())) == 1, said
    assert said["operator"][0] == case.allowed
