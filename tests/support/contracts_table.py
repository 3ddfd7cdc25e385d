"""The table of cases: two documents and what the change between them means, as the named source has it.

    cases/schema      two JSON Schemas: as a request's body (sent), as an answer's (given), as an event (event: full;
                      backward, forward)
    cases/parameter   two query parameters, or others where they say so
    cases/openapi     two OpenAPI documents: an operation and what stands beside it
    cases/asyncapi    two AsyncAPI documents
    cases/protobuf    two sources

A verdict is breaking, undecided or safe; several with a bar between them are all right. ``place`` is the end of the
place of one finding that decides. What a case expects comes from what the documents mean, never from the code.
`make contract-cases` prints how many of them are right, by kind.
"""

from pathlib import Path

import grpc_tools
import yaml
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from slipway_contracts import LENIENT, Kind, Mode, Severity, compare
from support.repository import ROOT

WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
CASES = ROOT / "tests/contracts/cases"
ROLES = {"sent": "request", "given": "answer", "event": "event", "backward": "event", "forward": "event"}
MODES = {"event": Mode.FULL, "backward": Mode.BACKWARD, "forward": Mode.FORWARD}


def operation_document(operation, document):
    own = {"responses": {"200": {"description": "OK"}}, **operation}
    base = {"openapi": "3.1.0", "info": {"title": "t", "version": "v1"}, "paths": {"/v1/things": {"post": own}}}
    return {key: value for key, value in {**base, **document}.items() if value is not None}


def content(schema):
    return {"content": {"application/json": {"schema": schema}}}


def with_schema(schema, role, components):
    named = {"components": {"schemas": components}} if components else {}
    if role == "sent":
        return operation_document({"requestBody": content(schema)}, named)
    return operation_document({"responses": {"200": {"description": "OK", **content(schema)}}}, named)


def schema_findings(case, role, before, after):
    components = [case.get(f"components_{side}", case.get("components")) for side in ("before", "after")]
    if role in MODES:
        pair = [
            {**schema, "components": {"schemas": named}} if named and isinstance(schema, dict) else schema
            for schema, named in zip((before, after), components, strict=True)
        ]
        return compare(*pair, Kind.EVENT, MODES[role], reading=LENIENT)
    pair = [with_schema(one, role, named) for one, named in zip((before, after), components, strict=True)]
    return compare(*pair, Kind.OPENAPI)


def parameter(part):
    listed = part if isinstance(part, list) else [part]
    whole = [{"name": "q", "in": "query", "schema": {"type": "string"}, **one} for one in listed]
    path = "".join(f"/{{{one['name']}}}" for one in whole if one["in"] == "path")
    document = operation_document({"parameters": whole}, {})
    return {**document, "paths": {f"/v1/things{path}": document["paths"]["/v1/things"]}}


def openapi(part):
    return operation_document(part.get("operation", {}), part.get("document", {})) if isinstance(part, dict) else part


def message_document(part):
    """``message`` shortened to what it says, in the document of its version."""
    if not isinstance(part, dict) or "asyncapi" in part or not part:
        return part
    message, rest = part.get("message", {}), {k: v for k, v in part.items() if k not in {"message", "version"}}
    if str(part.get("version", "3")).startswith("2"):
        return {"asyncapi": "2.6.0", "channels": {"parcels": {"subscribe": {"message": {"name": "Sent", **message}}}},
                **rest}  # fmt: skip
    return {
        "asyncapi": "3.0.0",
        "channels": {"parcels": {"address": "parcels", "messages": {"Sent": message}}},
        "operations": {"send": {"action": "send", "channel": {"$ref": "#/channels/parcels"}}},
        **rest,
    }


COMPILED = {}


def compiled(source, folder):
    if source not in COMPILED:
        head = "" if source.lstrip().startswith(("syntax", "edition")) else 'syntax = "proto3"; package shop.v1;\n'
        (folder / "shop.proto").write_text(head + source)
        COMPILED[source] = None
        command = ["protoc", f"-I{folder}", f"-I{WELL_KNOWN}", "--include_imports"]
        assert protoc.main([*command, f"--descriptor_set_out={folder}/out", "shop.proto"]) == 0, source
        COMPILED[source] = (folder / "out").read_bytes()
        descriptor_pb2.FileDescriptorSet.FromString(COMPILED[source])
    return COMPILED[source]


def rows():
    """One for each verdict of the table: kind, case, role."""
    for kind in sorted(folder.name for folder in CASES.iterdir()):
        for file in sorted((CASES / kind).glob("*.yaml")):
            for case in yaml.safe_load(file.read_text()):
                asked = [role for role in ROLES if role in case] if kind == "schema" else ["verdict"]
                assert asked, case
                assert case.get("source"), case["case"]
                for role in asked:
                    yield ROLES.get(role, kind), case, role


def found(kind, case, role, folder):
    before, after = case["before"], case["after"]
    if role in ROLES:
        return schema_findings(case, role, before, after)
    if kind == "parameter":
        return compare(parameter(before), parameter(after), Kind.OPENAPI)
    if kind == "openapi":
        return compare(openapi(before), openapi(after), Kind.OPENAPI)
    if kind == "asyncapi":
        return compare(message_document(before), message_document(after), Kind.ASYNCAPI)
    return compare(compiled(before, folder), compiled(after, folder), Kind.PROTOBUF)


def deciding(findings):
    breaks = [one for one in findings if one.severity is Severity.BREAKING]
    undecided = [one for one in findings if one.undecided]
    return ("breaking", breaks) if breaks else ("undecided", undecided) if undecided else ("safe", findings)


def wrong(kind, case, role, folder):
    """What is wrong about the rules' answer; empty: it is right."""
    try:
        verdict, findings = deciding(found(kind, case, role, folder))
    except Exception as error:  # noqa: BLE001 # the table says which case it was
        return f"{type(error).__name__}: {error}"
    if verdict not in case[role].split("|"):
        return f"is {verdict}, not {case[role]}: {[f'{one.rule} at {one.place}' for one in findings][:3]}"
    place = case.get("place")
    if verdict == "breaking" and place and not any(one.place.endswith(place) for one in findings):
        return f"is said at {[one.place for one in findings][:3]}, not at {place}"
    if case.get("silent") and findings:
        return f"is told, and nothing changed: {findings[0].sentence}"
    return ""
