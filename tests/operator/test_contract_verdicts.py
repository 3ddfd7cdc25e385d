"""One judge of contracts: the operator, a laptop and ``slipway contracts check`` say the same of the same documents."""

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from slipway_chassis.cli.contracts import contracts as command
from slipway_contracts import Contracts, changes, readers
from slipway_contracts.bundle import ASYNCAPI, CONSUMES, PROTOBUF, pretty
from slipway_contracts.tree import shown
from slipway_operator.runtimes.kubernetes.api.kinds import (
    MICROSERVICE,
    SERVICE_LABEL,
    SERVING_LABEL,
    VERSION_LABEL,
    Key,
)
from slipway_operator.runtimes.kubernetes.gates import contract_gate
from slipway_operator.runtimes.local import contract_gate as contract_gate_of_laptop
from slipway_operator.runtimes.local.versions import Version
from slipway_operator.spec.gates import ContractsGate
from support.judges import JudgeInProcess

OLD, NEW = "aaaaaaaa", "bbbbbbbb"
EVENT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
ROUTE = {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}}}
SENT, PAID_EVENT = "events/parcels.Sent.v1.schema.json", "events/shop.Paid.v1.schema.json"
NUMBERED = {**EVENT, "properties": {"id": {"type": "integer"}}}


UPSETTING, UPSETTING_EVENT = {"operations": {"read": 7}}, {"anyOf": 5}
PLAIN, TOGETHER, FILLING = ({"asyncapi": "3.0.0", "x-case": name} for name in ("plain", "together", "filling"))


@pytest.fixture(autouse=True)
def _rules_with_a_fault(monkeypatch):
    """No document is known that upsets the rules; the judge must be ready for one."""

    def upset_by(rule, *wrong):
        def asked(*documents, **options):
            if any(one in wrong for one in documents):
                raise TypeError("int is no mapping")
            if PLAIN in documents and TOGETHER in documents:
                raise TypeError("list is no mapping")
            if PLAIN in documents and FILLING in documents:
                raise MemoryError
            return rule(*documents, **options)

        return asked

    monkeypatch.setattr(changes, "compare_asyncapi", upset_by(changes.compare_asyncapi, UPSETTING))
    monkeypatch.setattr(readers, "gaps", upset_by(readers.gaps, UPSETTING_EVENT))


def api(*paths):
    return {"openapi": "3.1.0", "paths": dict.fromkeys(paths, ROUTE)}


def bundle(service, **documents):
    """Files by path, with an index that fits."""
    files = {}
    for name, document in documents.items():
        path = {"sent": SENT, "paid": PAID_EVENT, "consumes": CONSUMES, "asyncapi": ASYNCAPI, "grpc": PROTOBUF}.get(
            name, f"openapi.{name}.json"
        )
        files[path] = document if isinstance(document, bytes) else pretty(document)
    return {**files, "index.json": Contracts(service, files).index()}


def calls(service, path, **more):
    return {"calls": [{"service": service, "method": "GET", "path": path, **more}]}


def reads(kind, schema):
    message = {
        "name": kind,
        "payload": {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": schema},
    }
    return {
        "asyncapi": "3.0.0",
        "channels": {"topic": {"address": "topic", "messages": {kind: {"$ref": f"#/components/messages/{kind}"}}}},
        "operations": {
            "read": {
                "action": "receive", "channel": {"$ref": "#/channels/topic"},
                "messages": [{"$ref": f"#/channels/topic/messages/{kind}"}],
            }
        },
        "components": {"messages": {kind: message}},
    }  # fmt: skip


PARCELS = bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT)
PAID = bundle("shop", paid=EVENT)
READER = bundle("parcels", v1=api("/v1/parcels"), asyncapi=reads("shop.Paid.v1", NUMBERED))
ALONE = bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, consumes=calls("stock", "/v1/rest"))
SHOP = bundle("shop", consumes=calls("parcels", "/v1/parcels"))


class Case(NamedTuple):
    candidate: dict
    result: str
    message: str
    active: dict | None = PARCELS
    others: dict = {"shop": SHOP}
    allowed: str = "Passed"  # with allowBreaking
    in_ci: bool = True  # False: there an earlier tree that can't be read is an error, and a tree must fit together


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
        bundle("parcels", v1=api("/v1/parcels"), asyncapi=UPSETTING), "Failed",
        "The contracts can't be read: they can't be compared: ", allowed="Failed",
    ),
    "the active version can't be read": Case(
        PARCELS, "Passed", "There was nothing to compare with: ", active={**PARCELS, SENT: b"[]"}, in_ci=False
    ),
    "another one can't be read": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices", "/v1/more"), sent=EVENT), "Inconclusive",
        "What shop relies on is unknown: ", others={"shop": bundle("shop", consumes={"reads": 7})},
    ),
    "the active version upsets the rules": Case(
        PARCELS, "Passed", "There was nothing to compare with: they can't be compared",
        active=bundle("parcels", v1=api("/v1/parcels"), asyncapi=UPSETTING), in_ci=False,
    ),
    "only the two versions together upset the rules": Case(
        bundle("parcels", v1=api("/v1/parcels"), asyncapi=TOGETHER), "Inconclusive",
        "The two versions could not be compared: they can't be compared: TypeError",
        active=bundle("parcels", v1=api("/v1/parcels"), asyncapi=PLAIN),
    ),
    "only the two versions together take more memory than there is": Case(
        bundle("parcels", v1=api("/v1/parcels"), asyncapi=FILLING), "Inconclusive",
        "The two versions could not be compared: it takes more memory than there is",
        active=bundle("parcels", v1=api("/v1/parcels"), asyncapi=PLAIN),
    ),
    "its descriptors can't be read": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, grpc=b"\xff\xff"), "Failed",
        "The contracts can't be read: descriptors.binpb is not", allowed="Failed",
    ),
    "a provider that it newly calls can't be read": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, consumes=calls("stock", "/v1/rest")),
        "Inconclusive", "parcels calls GET /v1/rest of stock, and whether that is there is unknown: ",
        others={"stock": bundle("stock", v1=[7])},
    ),
    "it newly calls a service that nobody has": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, consumes=calls("stock", "/v1/rest")),
        "Inconclusive", "parcels calls GET /v1/rest of stock, and no service stock is known here. Release or name it",
    ),
    "it called a service that nobody has before": Case(
        ALONE, "Passed", "nothing changed", active=ALONE
    ),
    "it newly calls a service that is elsewhere": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT,
               consumes=calls("stock", "/v1/rest", elsewhere=True)), "Passed", "nothing changed",
    ),
    "a service that is said to be elsewhere, and lacks the route": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT,
               consumes=calls("stock", "/v1/rest", elsewhere=True)),
        "Failed", "and stock has no such operation", others={"stock": bundle("stock", v1=api("/v1/items"))},
    ),
    "a first version calls a service that nobody has": Case(
        ALONE, "Passed", "there was nothing to compare with", active=None, in_ci=False
    ),
    "what it reads is written otherwise": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, asyncapi=reads("shop.Paid.v1", NUMBERED)),
        "Failed", "parcels reads shop.Paid.v1: id is written as", others={"shop": PAID},
    ),
    "what it reads was written otherwise before": Case(
        READER, "Passed", "nothing changed", active=READER, others={"shop": PAID}, in_ci=False
    ),
    "what somebody else writes upsets the rules": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, asyncapi=reads("shop.Paid.v1", EVENT)),
        "Inconclusive", "they can't be compared", others={"shop": bundle("shop", paid=UPSETTING_EVENT)},
    ),
    "its own events can't be read by itself": Case(
        bundle("parcels", v1=api("/v1/parcels", "/v1/prices"), sent=EVENT, asyncapi=reads("parcels.Sent.v1", NUMBERED)),
        "Failed", "parcels reads parcels.Sent.v1: id is written as",
    ),
    "a name too long to be told whole": Case(
        bundle("parcels", v1=api("/v1/parcels"), sent=EVENT), "Failed", "3 changes break somebody. GET /v1/0xxx",
        active=bundle("parcels", v1=api("/v1/parcels", *(f"/v1/{n}{'x' * 480}" for n in range(3))), sent=EVENT),
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
            "metadata": {"name": address, "labels": labels}, "files": files,
            "spec": {"containers": [{"ports": [{"name": "admin", "containerPort": 9100}]}]},
            "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
        })  # fmt: skip

    async def list(self, kind, namespace, *, selector=""):
        return self.services if kind is MICROSERVICE else self.pods

    def ask(self, url, most):
        address, _, path = url.removeprefix("http://").partition("/")
        pod = next(each for each in self.pods if each["status"]["podIP"] == address.partition(":")[0])
        content = pod["files"].get(path.removeprefix("contracts").removeprefix("/") or "index.json")
        return (404, b"") if content is None else (200, content)


def operator(case, *, allow, tmp_path):
    there = Namespace(case)
    pods = [each for each in there.pods if each["metadata"]["labels"][SERVICE_LABEL] == "parcels"]
    found = asyncio.run(
        contract_gate.compared(
            there, JudgeInProcess(there.ask), ContractsGate(allow_breaking=allow), Key("shop", "parcels"),
            pods=pods, active=OLD if case.active else "", candidate=NEW,
        )
    )  # fmt: skip
    # Only pods have counters, and it is said whose were asked.
    return found.state.value, found.message.replace(" (1 of 1 pods could not be asked (10.0.0.1))", "")


def laptop(case, *, allow, tmp_path):
    versions = {name: _version(name) for name in (OLD, NEW)}
    files = {("parcels", OLD): case.active, ("parcels", NEW): case.candidate}
    files |= {(name, OLD): other for name, other in case.others.items()}

    class Exports:
        def of(self, service, version):
            return shown(files[service, version.hash].__getitem__)

        def declared(self, service):
            there = {name: content for name, content in case.others[service].items() if name == CONSUMES}
            return Contracts(service, there)

    found = contract_gate_of_laptop.compared(
        Exports(), "parcels", versions[OLD] if case.active else None, versions[NEW],
        dict.fromkeys(case.others, versions[OLD]), allow_breaking=allow,
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
    arguments = ["check", "--root", new, "--against", old, "--output", "json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert not done.stderr, done.stderr
    found = json.loads(done.output)["services"]["parcels"]
    # A file of a tree is named with its folder; a pod and an export have none.
    return found["result"], re.sub(r"services/\w+/contracts/", "", found["message"])


@pytest.mark.parametrize("name", CASES)
def test_all_three_say_the_same(name, tmp_path):
    case = CASES[name]

    ways = (operator, laptop, ci) if case.in_ci else (operator, laptop)
    said = {way.__name__: way(case, allow=False, tmp_path=tmp_path) for way in ways}

    assert len(set(said.values())) == 1, said
    assert said["operator"][0] == case.result
    assert case.message in said["operator"][1]


def test_an_earlier_tree_that_can_not_be_read_is_an_error(tmp_path):
    """What was not read can't be said to break nothing."""
    case = CASES["the active version can't be read"]

    with pytest.raises(AssertionError, match="the earlier contracts of parcels can't be read"):
        ci(case, allow=False, tmp_path=tmp_path)


def test_what_a_first_version_relies_on_is_in_the_tree_or_named(tmp_path):
    """In a cluster the others may be installed after it; a tree stays as it is."""
    case = CASES["a first version calls a service that nobody has"]

    result, message = ci(case, allow=False, tmp_path=tmp_path)

    assert result == "Inconclusive"
    assert "no service stock is known here" in message


@pytest.mark.parametrize("name", CASES)
def test_both_runtimes_allow_the_same(name, tmp_path):
    """What breaks and what is undecided; never what could not be read."""
    case = CASES[name]

    said = {way.__name__: way(case, allow=True, tmp_path=tmp_path) for way in (operator, laptop)}

    assert len(set(said.values())) == 1, said
    assert said["operator"][0] == case.allowed
