"""The gate: a version, the one before it, those who rely on it, and what is still called."""

import subprocess
import sys

import pytest

from slipway_contracts import Calls, Contracts, ReadsEvent, Severity, judge
from slipway_contracts.bundle import CONSUMES, MAX_FILES, PROTOBUF, pretty
from slipway_contracts.consumes import CallsGrpc, consumes_of, declared_of
from slipway_contracts.errors import DeclarationError, UnreadableContracts

ROWS = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
VIEW = {"type": "object", "properties": {"id": {"type": "string"}, "rows": ROWS}}
ROW = {"anyOf": [{"type": "object", "properties": {"sku": {"type": "string"}}}, {"type": "null"}]}
EVENT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "total": {"type": "integer"}},
    "required": ["id"],
}


def api(version, schema=VIEW):
    answers = {"200": {"content": {"application/json": {"schema": schema}}}}
    return {
        "openapi": "3.1.0",
        "paths": {f"/{version}/parcels/{{id}}": {"get": {"responses": answers}}},
        "components": {"schemas": {"Row": ROW}},
    }


def parcels(*, apis=None, events=None, **files):
    documents = {f"openapi.{version}.json": document for version, document in (apis or {}).items()}
    documents |= {f"events/{kind}.schema.json": schema for kind, schema in (events or {}).items()}
    return Contracts("parcels", {**{name: pretty(one) for name, one in documents.items()}, **files})


READS = ReadsEvent(consumer="shop", service="parcels", type="parcels.Sent.v1", fields=("id",))
CALLS = Calls(consumer="shop", service="parcels", method="GET", path="/v1/parcels/{number}", fields=("rows[].sku",))
ACTIVE = parcels(apis={"v1": api("v1")}, events={"parcels.Sent.v1": EVENT})


def relying(*declared):
    """What the shop shows: nothing but whom it relies on."""
    entries = {"events": [], "calls": []}
    for one in declared:
        entry = {
            name: getattr(one, name) for name in ("service", "type", "method", "path", "fields") if hasattr(one, name)
        }
        if isinstance(one, CallsGrpc):
            entry = {"service": one.service, "grpc": one.method}
        entries["events" if isinstance(one, ReadsEvent) else "calls"].append(entry)
    return {"shop": Contracts("shop", {CONSUMES: pretty(entries)})}


def rules(verdict):
    return {one.rule: one.severity for one in verdict.findings}


def test_the_same_promises_pass():
    verdict = judge(ACTIVE, ACTIVE, relying(READS, CALLS), None)

    assert (verdict.ok, list(verdict.findings), verdict.inconclusive) == (True, [], False)


def test_a_first_version_has_nothing_to_keep_but_what_others_declared():
    assert judge(None, ACTIVE, relying(READS, CALLS), None).ok
    assert not judge(None, parcels(), relying(CALLS), None).ok


def test_a_break_of_a_kept_major_stops_whoever_uses_it():
    broken = parcels(apis={"v1": api("v1", {"type": "object"}), "v2": api("v2")}, events={"parcels.Sent.v1": EVENT})
    typed = parcels(apis={"v1": api("v1", {"type": "string"})}, events={"parcels.Sent.v1": EVENT})

    assert judge(ACTIVE, broken, {}, {"v1": 0}).ok  # a field that was optional is no longer sent: said, not refused
    assert rules(judge(ACTIVE, broken, {}, None))["response-property-dropped"] is Severity.WARNING
    assert not judge(ACTIVE, typed, {}, {"v1": 0}).ok


@pytest.mark.parametrize(
    ("usage", "ok", "inconclusive"),
    [(None, True, True), ({}, True, True), ({"v1": 0.0}, True, False), ({"v1": 3.0}, False, False)],
)
def test_a_major_goes_when_another_is_there_and_nobody_calls_it(usage, ok, inconclusive):
    candidate = parcels(apis={"v2": api("v2")}, events={"parcels.Sent.v1": EVENT})

    verdict = judge(ACTIVE, candidate, {}, usage)

    assert (verdict.ok, verdict.inconclusive) == (ok, inconclusive)
    assert set(rules(verdict)) == {"version-dropped"}


def test_a_major_does_not_go_without_a_newer_one():
    newer = parcels(apis={"v1": api("v1"), "v2": api("v2")})

    assert not judge(ACTIVE, parcels(events={"parcels.Sent.v1": EVENT}), {}, {"v1": 0}).ok
    assert not judge(newer, parcels(apis={"v1": api("v1")}), {}, {"v2": 0}).ok


def test_nobody_calling_does_not_help_against_a_declared_caller():
    candidate = parcels(apis={"v2": api("v2")}, events={"parcels.Sent.v1": EVENT})

    verdict = judge(ACTIVE, candidate, relying(CALLS), {"v1": 0})

    assert not verdict.ok
    assert [one.sentence for one in verdict.findings if one.rule == "consumer-call-unknown"] == [
        (
            "shop calls GET /v1/parcels/{number} of parcels, and parcels has no such operation. "
            "Keep it, or change shop first."
        )
    ]


def test_an_event_type_goes_when_its_successor_is_there_and_nobody_declared_to_read_it():
    candidate = parcels(apis={"v1": api("v1")}, events={"parcels.Sent.v2": EVENT})

    assert judge(ACTIVE, candidate, {}, None).ok
    assert not judge(ACTIVE, candidate, relying(READS), None).ok
    assert not judge(ACTIVE, parcels(apis={"v1": api("v1")}), {}, None).ok


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"properties": {"id": {"type": "integer"}, "total": {"type": "integer"}}}, "event-type-narrowed"),
        ({"required": []}, "event-required-widened"),
        ({"required": ["id", "total"]}, "event-required-narrowed"),
    ],
)
def test_an_event_must_suit_those_who_read_new_data_and_those_who_read_old(changed, rule):
    candidate = parcels(apis={"v1": api("v1")}, events={"parcels.Sent.v1": {**EVENT, **changed}})

    assert rule in rules(judge(ACTIVE, candidate, {}, None))
    assert not judge(ACTIVE, candidate, {}, None).ok


def test_an_event_may_gain_a_field():
    fields = {**EVENT["properties"], "note": {"type": "string"}}

    assert judge(
        ACTIVE, parcels(apis={"v1": api("v1")}, events={"parcels.Sent.v1": {**EVENT, "properties": fields}}), {}, None
    ).ok


@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        (ReadsEvent(consumer="shop", service="parcels", type="parcels.Lost.v1"), "consumer-event-unknown"),
        (ReadsEvent(consumer="shop", service="parcels", type="parcels.Sent.v1", fields=("weight",)),
         "consumer-field-unknown"),
        (Calls(consumer="shop", service="parcels", method="PUT", path="/v1/parcels/{id}"), "consumer-call-unknown"),
        (Calls(consumer="shop", service="parcels", method="GET", path="/v1/parcels/{id}", fields=("rows[].name",)),
         "consumer-field-unknown"),
        (CallsGrpc(consumer="shop", service="parcels", method="parcels.v1.Parcels/Find"), "consumer-method-unknown"),
    ],
)  # fmt: skip
def test_what_a_consumer_relies_on_must_be_there(declared, rule):
    [finding] = judge(None, ACTIVE, relying(declared), None).findings

    assert (finding.rule, finding.severity) == (rule, Severity.BREAKING)
    assert "shop" in finding.sentence
    assert "parcels" in finding.sentence
    # What was wrong before is the consumer's fault: it stops no release of the service.
    assert judge(ACTIVE, ACTIVE, relying(declared), None).ok


def sending(*kinds, beside=()):
    """Publishes these types; ``beside`` those that say of each other that they tell of the same change."""
    messages = {
        kind: {"x-accompanies": [one for one in beside if one != kind]} if kind in beside else {} for kind in kinds
    }
    document = {
        "asyncapi": "3.0.0",
        "channels": {"parcels": {"address": "parcels", "messages": messages}},
        "operations": {"send": {"action": "send", "channel": {"$ref": "#/channels/parcels"}}},
    }
    return parcels(events=dict.fromkeys(kinds, EVENT), **{"asyncapi.json": pretty(document)})


V1, V2 = "parcels.Sent.v1", "parcels.Sent.v2"


@pytest.mark.parametrize(
    ("candidate", "stops"),
    [
        (sending(V1, V2, beside=(V1, V2)), False),
        (sending(V1, V2), True),
        (sending(V1, V2, beside=(V1,)), True),
    ],
    ids=["marked", "unmarked", "only the former one is marked"],
)
def test_a_version_beside_one_that_is_read_must_be_marked(candidate, stops):
    assert ("event-version-unmarked" in rules(judge(sending(V1), candidate, relying(READS), None))) is stops
    # Who reads neither, or both, is not concerned; and what was so before stops no release.
    assert "event-version-unmarked" not in rules(judge(sending(V1), candidate, {}, None))
    reads_v2 = ReadsEvent(consumer="shop", service="parcels", type=V2)
    assert "event-version-unmarked" not in rules(judge(sending(V1), candidate, relying(READS, reads_v2), None))
    assert "event-version-unmarked" not in rules(judge(candidate, candidate, relying(READS), None))


@pytest.mark.parametrize("answer", [
    {"anyOf": [{"type": "object", "properties": {"kind": {"const": f"k{n}"}, "rows": ROWS}} for n in range(250)]},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": f"k{n}"}, "rows": ROWS}} for n in range(250)]},
    {"allOf": [{"anyOf": [{"properties": {f"p{part}{n}": {}}} for n in range(20)]} for part in range(3)]},
    {"$ref": "#/components/schemas/Nobody"},
    {"$ref": "https://elsewhere.example/rows.json"},
    {"$ref": "#/components/schemas/Circle"},
])  # fmt: skip
def test_what_can_not_be_opened_lacks_nothing_for_sure(answer):
    """Too many alternatives, or references that lead nowhere: nobody is told that a field is not there."""
    described = api("v1", answer)
    described["components"]["schemas"]["Circle"] = {"$ref": "#/components/schemas/Circle"}

    verdict = judge(None, parcels(apis={"v1": described}), relying(CALLS), None)

    assert "consumer-field-unknown" not in rules(verdict)
    assert verdict.ok


def test_declarations_about_others_are_passed_over():
    assert judge(None, ACTIVE, relying(ReadsEvent(consumer="shop", service="other", type="other.Lost.v1")), None).ok


def test_what_is_undecided_is_said_and_not_passed_silently():
    slow = {"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}
    other = {**slow, "then": {"required": ["c"]}}

    verdict = judge(parcels(events={"p.A.v1": slow}), parcels(events={"p.A.v1": other}), {}, None)

    assert (verdict.ok, verdict.inconclusive) == (True, True)


def stored(contracts):
    files = {**contracts.files, "index.json": contracts.index()}
    return files, files.__getitem__


def test_what_travels_is_what_arrives():
    _, fetch = stored(ACTIVE)

    assert Contracts.read(fetch) == ACTIVE
    assert set(ACTIVE.digests()) == {"openapi.v1.json", "events/parcels.Sent.v1.schema.json"}


def test_white_space_is_no_change_and_a_letter_is():
    files, fetch = stored(ACTIVE)
    files["openapi.v1.json"] = files["openapi.v1.json"].replace(b"\n", b" ")
    assert Contracts.read(fetch).digests() == ACTIVE.digests()

    files["openapi.v1.json"] = files["openapi.v1.json"].replace(b"parcels", b"Parcels")
    with pytest.raises(UnreadableContracts, match=r"openapi\.v1\.json is not what index\.json says"):
        Contracts.read(fetch)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (b"[]", "is no index"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b" " * 3_000_000, "is too large"),
        (pretty({"service": "p", "files": {f"f{n}.json": {} for n in range(MAX_FILES + 1)}}), "is no index"),
        (pretty({"service": "p", "files": {"../secret": {}}}), "names a file that is no contract"),
        (pretty({"service": "p", "files": {"events/../../secret": {}}}), "names a file that is no contract"),
        (pretty({"service": "p", "files": {"big.json": {}}}), "big.json is too large"),
    ],
)
def test_an_index_is_not_believed(index, sentence):
    files = {"index.json": index, "big.json": b" " * 3_000_000}

    with pytest.raises(UnreadableContracts, match=sentence):
        Contracts.read(files.__getitem__)


def test_a_protobuf_package_goes_like_a_major(tmp_path):
    from grpc_tools import protoc  # noqa: PLC0415

    def described(version):
        (tmp_path / "p.proto").write_text(
            f'syntax = "proto3"; package parcels.{version};'
            "service Parcels { rpc Find(Id) returns (Id); } message Id {}"
        )
        assert protoc.main(["protoc", f"-I{tmp_path}", f"--descriptor_set_out={tmp_path}/out", "p.proto"]) == 0
        return parcels(**{PROTOBUF: (tmp_path / "out").read_bytes()})

    old, new = described("v1"), described("v2")

    assert judge(old, new, {}, {"parcels.v1": 0}).ok
    assert not judge(old, new, {}, {"parcels.v1": 1}).ok
    assert not judge(new, old, {}, {"parcels.v2": 0}).ok
    caller = CallsGrpc(consumer="shop", service="parcels", method="parcels.v1.Parcels/Find")
    assert judge(old, old, relying(caller), None).ok
    assert not judge(old, new, relying(caller), {"parcels.v1": 0}).ok


@pytest.mark.parametrize(
    "wrong",
    [
        {"reads": []},
        {"events": {}},
        {"events": [{"service": "orders"}]},
        {"events": [{"service": "orders", "type": 1}]},
        {"events": [{"service": "orders", "type": "a", "fields": "id"}]},
        {"calls": [{"service": "orders", "path": "/v1/orders"}]},
        {"calls": [{"service": "orders", "grpc": "a.B/C", "path": "/v1"}]},
    ],
)
def test_a_wrong_declaration_is_named_and_shown_right(wrong):
    with pytest.raises(DeclarationError, match=r"consumes"):
        declared_of("shop", wrong)


def test_a_declaration_is_read_from_the_project(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[tool.slipway.consumes]\ncalls = [{service = "parcels", method = "get", path = "/v1/parcels/{id}"}]\n'
    )

    [declared] = declared_of("shop", consumes_of(project))

    assert str(declared) == "shop calls GET /v1/parcels/{id} of parcels"


def test_the_operator_gets_nothing_heavy():
    """``judge`` runs beside kopf: neither Flask nor SQLAlchemy nor Kafka may come with it."""
    code = (
        "import sys, slipway_contracts, slipway_contracts.protobuf;"
        "print({'flask', 'sqlalchemy', 'kafka', 'confluent_kafka', 'pydantic', 'grpc', 'spectree'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
