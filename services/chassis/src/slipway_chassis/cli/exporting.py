"""Writes down what a declared service promises: OpenAPI, AsyncAPI, a JSON Schema per event, protobuf.

The files hold nothing of one build (no version, no date): two versions that promise the same have the same files,
byte for byte, and the same digests.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from slipway_contracts.bundle import ASYNCAPI, CONSUMES, INDEX, PROTOBUF, Contracts, pretty

from ..auth.keys import Keys
from ..auth.tokens import Verifier
from ..errors import KeysUnavailable
from ..events.asyncapi import asyncapi, event_schema
from ..resources import Resources
from ..service import Service


def contracts_of(declared: Service, consumes: Mapping[str, Any] | None = None) -> Contracts:
    """Only files that the service has something to say in. ``consumes``: as in its pyproject.toml."""
    files: dict[str, bytes] = {}
    whole = openapi(declared, "") if declared.apis else {}
    for api in declared.apis:
        files[f"openapi.{api.version}.json"] = pretty(only(whole, api.version))
    if declared.publishes or declared.consumes:
        document = asyncapi(declared.name, "1", publishes=declared.publishes.values(), consumes=declared.consumes)
        files[ASYNCAPI] = pretty(document)
    for stream in declared.publishes.values():
        for kind, event in stream.events.items():
            files[f"events/{kind}.schema.json"] = pretty(event_schema(kind, event, mode="serialization"))
    if declared.grpc:
        files[PROTOBUF] = _descriptors(declared)
    if consumes:
        files[CONSUMES] = pretty(consumes)
    return Contracts(declared.name, dict(sorted(files.items())))


def openapi(declared: Service, version: str) -> dict[str, Any]:
    app = declared.build_app(Resources(verifier=_nobody()), version=version, with_parts=False)
    document: dict[str, Any] = app.extensions["slipway.openapi"].document(app)
    return document


def only(document: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The operations of one version of the API, which is their tag, with the schemas they use."""
    paths = {
        path: {method: one for method, one in item.items() if version in one.get("tags", ())}
        for path, item in document["paths"].items()
    }
    found = {
        **document,
        "info": {**document["info"], "version": version},
        "paths": {path: item for path, item in paths.items() if item},
        "tags": [tag for tag in document.get("tags", ()) if tag.get("name") == version],
    }
    components = dict(document.get("components", {}))
    if "schemas" in components:
        used = _used(found["paths"], components["schemas"])
        components["schemas"] = {name: one for name, one in components["schemas"].items() if name in used}
    return {**found, "components": components}


def _used(part: Any, schemas: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    waiting = [part]
    while waiting:
        one = waiting.pop()
        reference = one.get("$ref") if isinstance(one, Mapping) else None
        if isinstance(reference, str):
            name = reference.removeprefix("#/components/schemas/")
            if name in schemas and name not in names:
                names.add(name)
                waiting.append(schemas[name])
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return names


def _nobody() -> Verifier:
    """A description answers no request, so it trusts no issuer."""

    def fetch() -> tuple[bytes, float | None]:
        raise KeysUnavailable("this application only describes itself")

    return Verifier(Keys(fetch), issuer="", audience="")


def export(contracts: Contracts, folder: Path) -> list[Path]:
    """Writes the files and their index; removes contracts that are no longer there. Returns the paths."""
    content = {**contracts.files, INDEX: contracts.index()}
    for path in written(folder):
        if str(path.relative_to(folder)) not in content:
            path.unlink()
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return [folder / name for name in sorted(content)]


def stale(contracts: Contracts, folder: Path) -> list[str]:
    """The names of files that an export would write otherwise, or remove."""
    content = {**contracts.files, INDEX: contracts.index()}
    there = {str(path.relative_to(folder)): path.read_bytes() for path in written(folder)}
    return sorted(name for name in {*content, *there} if content.get(name) != there.get(name))


def written(folder: Path) -> Iterable[Path]:
    return sorted([*folder.glob("*.json"), *folder.glob("events/*.json"), *folder.glob("*.binpb")])


def _descriptors(declared: Service) -> bytes:
    """The proto files of all gRPC services with what they import, each once, imports first."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file: Any) -> None:
        for imported in file.dependencies:
            add(imported)
        if file.name not in found:
            found[file.name] = FileDescriptorProto()
            file.CopyToProto(found[file.name])

    for one in declared.grpc:
        add(one.descriptor.file)
    return bytes(FileDescriptorSet(file=found.values()).SerializeToString(deterministic=True))
