"""What a version of a service promises, as files: OpenAPI, AsyncAPI, a JSON Schema per event, protobuf.

Written in a stable order, so that two exports of the same code are equal byte for byte.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from .auth.keys import Keys
from .auth.tokens import Verifier
from .errors import KeysUnavailable
from .events.asyncapi import asyncapi, event_schema
from .service import Service
from .standing import Standing

OPENAPI, ASYNCAPI, PROTOBUF = "openapi.json", "asyncapi.json", "descriptors.binpb"


def contracts_of(declared: Service, version: str) -> dict[str, bytes]:
    """The files by their path; only those the service has something to say in."""
    files: dict[str, bytes] = {}
    if declared.apis:
        files[OPENAPI] = _json(openapi(declared, version))
    if declared.publishes or declared.consumes:
        document = asyncapi(declared.name, version, publishes=declared.publishes.values(), consumes=declared.consumes)
        files[ASYNCAPI] = _json(document)
    for stream in declared.publishes.values():
        for kind, event in stream.events.items():
            files[f"events/{kind}.schema.json"] = _json(event_schema(kind, event, mode="serialization"))
    if declared.grpc:
        files[PROTOBUF] = _descriptors(declared)
    return dict(sorted(files.items()))


def openapi(declared: Service, version: str) -> dict[str, Any]:
    app = declared.app(Standing(verifier=_nobody()), version=version, with_parts=False)
    document: dict[str, Any] = app.extensions["slipway.openapi"].document(app)
    return document


def _nobody() -> Verifier:
    """A description answers no request, so it trusts no issuer."""

    def fetch() -> tuple[bytes, float | None]:
        raise KeysUnavailable("this application only describes itself")

    return Verifier(Keys(fetch), issuer="", audience="")


def export(declared: Service, version: str, folder: Path) -> list[Path]:
    """Writes the files; returns their paths."""
    written = []
    for name, content in contracts_of(declared, version).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


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
