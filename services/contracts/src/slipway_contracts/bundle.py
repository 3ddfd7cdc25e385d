"""The contracts of one version as they travel: files, an index of their digests, and who the service relies on.

    index.json                    {"service": ..., "digest": ..., "files": {path: {"kind", "digest", "bytes"}}}
    openapi.v1.json               one per version of the API
    asyncapi.json                 the topics it writes and reads
    events/<type>.schema.json     one per event type it writes
    descriptors.binpb             its gRPC services
    consumes.json                 what it reads and calls of others

The digest of a JSON file is the SHA-256 of its canonical form, so that white space is no change.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .canonical import canonical, digest
from .consumes import Declared, declared_of
from .errors import ContractsError, UnreadableContracts
from .wellformed import parsed

INDEX, ASYNCAPI, PROTOBUF, CONSUMES = "index.json", "asyncapi.json", "descriptors.binpb", "consumes.json"
OPENAPI = re.compile(r"openapi\.(v[0-9]+)\.json")
EVENT = re.compile(r"events/([A-Za-z0-9_.-]+)\.schema\.json")
PATH = re.compile(r"(events/)?[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}")
# What is read comes from a version that nobody trusts yet.
MAX_FILES = 100
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_BYTES = 8 * 1024 * 1024


class _UnreadableFile(UnreadableContracts):
    """Its text begins with the file's path."""


@dataclass(frozen=True)
class Contracts:
    """``files``: content by path, without the index. ``where`` begins what is said of a file: its folder and /."""

    service: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    @classmethod
    def read(cls, fetch: Callable[[str], bytes], where: str = "") -> "Contracts":
        """``fetch`` gives the content of a path below /contracts. Raises UnreadableContracts for what is missing,
        too large, or not what its digest says; errors of ``fetch`` pass. ``where`` begins what is said of a file.
        """
        try:
            return cls._read(fetch, where)
        except _UnreadableFile as error:
            raise UnreadableContracts(f"{where}{error}") from None

    @classmethod
    def _read(cls, fetch: Callable[[str], bytes], where: str) -> "Contracts":
        index = _parsed(INDEX, fetch(INDEX))
        listed = index.get("files") if isinstance(index, Mapping) else None
        if not isinstance(listed, Mapping) or len(listed) > MAX_FILES or not isinstance(index.get("service"), str):
            raise _UnreadableFile(f"{INDEX} is no index of at most {MAX_FILES} contracts")
        files: dict[str, bytes] = {}
        for path, entry in sorted(listed.items()):
            if not PATH.fullmatch(path) or not isinstance(entry, Mapping):
                raise _UnreadableFile(f"{INDEX} names a file that is no contract: {path[:100]!r}")
            files[path] = fetch(path)
            if len(files[path]) > MAX_FILE_BYTES or sum(map(len, files.values())) > MAX_BYTES:
                raise _UnreadableFile(f"{path} is too large: {MAX_FILE_BYTES} bytes each, {MAX_BYTES} together")
            if digest_of(path, files[path]) != entry.get("digest"):
                raise _UnreadableFile(f"{path} is not what {INDEX} says: its digest differs. Export them again")
        return cls(index["service"], files, where)

    def index(self) -> bytes:
        files = {
            path: {"kind": kind_of(path), "digest": digest_of(path, content), "bytes": len(content)}
            for path, content in sorted(self.files.items())
        }
        whole = digest(canonical({path: entry["digest"] for path, entry in files.items()}).encode())
        return pretty({"service": self.service, "digest": whole, "files": files})

    def digests(self) -> dict[str, str]:
        """By path, as a ServiceVersion records them."""
        return {path: digest_of(path, content) for path, content in sorted(self.files.items())}

    def promises(self) -> dict[str, str]:
        """Digests of what others may rely on: all but what it relies on itself."""
        return {path: value for path, value in self.digests().items() if path != CONSUMES}

    def parse(self) -> None:
        """All documents, now. Raises UnreadableContracts or DeclarationError, which name the file or the entry."""
        try:
            self._parse()
        except ContractsError as error:
            raise UnreadableContracts(f"{self.where}{error}") from None

    def _parse(self) -> None:
        _ = self.openapis, self.events, self.asyncapi, self.consumes
        if self.descriptors:
            from .protobuf import require_descriptors  # noqa: PLC0415 # most services have none

            require_descriptors(PROTOBUF, self.descriptors)

    @property
    def api_versions(self) -> set[str]:
        """v1, v2: by the names of the files, so that none needs to be read."""
        return {match[1] for path in self.files if (match := OPENAPI.fullmatch(path))}

    @cached_property
    def openapis(self) -> Mapping[str, Any]:
        """By version: v1, v2."""
        return self._documents(OPENAPI)

    @cached_property
    def events(self) -> Mapping[str, Any]:
        """The schema of each event type it writes."""
        return self._documents(EVENT)

    @cached_property
    def asyncapi(self) -> Mapping[str, Any]:
        return _object(ASYNCAPI, self.files[ASYNCAPI]) if ASYNCAPI in self.files else {}

    @property
    def descriptors(self) -> bytes:
        return self.files.get(PROTOBUF, b"")

    @cached_property
    def consumes(self) -> list[Declared]:
        return declared_of(self.service, _object(CONSUMES, self.files[CONSUMES])) if CONSUMES in self.files else []

    def _documents(self, pattern: re.Pattern[str]) -> dict[str, Any]:
        matched = ((pattern.fullmatch(path), path) for path in self.files)
        return {match[1]: _object(path, self.files[path]) for match, path in matched if match}


def pretty(document: object) -> bytes:
    """As files are written: equal byte for byte for equal content, and a line per change in a review."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def kind_of(path: str) -> str:
    for kind, pattern in (("openapi", OPENAPI), ("event", EVENT)):
        if pattern.fullmatch(path):
            return kind
    return {ASYNCAPI: "asyncapi", PROTOBUF: "protobuf", CONSUMES: "consumes"}.get(path, "other")


def digest_of(path: str, content: bytes) -> str:
    return digest(canonical(_parsed(path, content)).encode() if path.endswith(".json") else content)


def _parsed(path: str, content: bytes) -> Any:
    if len(content) > MAX_FILE_BYTES:
        raise _UnreadableFile(f"{path} is too large: more than {MAX_FILE_BYTES} bytes")
    try:
        return parsed(content)
    except ValueError as error:
        raise _UnreadableFile(f"{path}{error}") from None


def _object(path: str, content: bytes) -> Mapping[str, Any]:
    found = _parsed(path, content)
    if not isinstance(found, Mapping):
        raise _UnreadableFile(f"{path} is not a JSON object")
    return found
