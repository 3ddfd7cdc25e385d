"""Contracts of one service as an artifact of a registry: a manifest, and each file as a layer with its path as title.

So ``oras push`` and ``oras pull`` write and read the same (docs/contracts.md). Equal contracts give an equal digest.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .bundle import INDEX, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, Contracts
from .config import RegistryLogin
from .errors import RegistryError, UnreadableContracts
from .oci_client import SECONDS, RegistryClient, joined, require_tls
from .oci_reference import DIGEST, Reference
from .tree import reading

ARTIFACT = "application/vnd.slipway.contracts.v1"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY, NOTHING = "application/vnd.oci.empty.v1+json", b"{}"
FILE = "application/vnd.slipway.contracts.file.v1"
TITLE = "org.opencontainers.image.title"
MAX_MANIFEST_BYTES = 256 * 1024
_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404


def pulled(place: str, login: RegistryLogin, *, seconds: float = SECONDS) -> Contracts:
    """By tag or digest, all within ``seconds``. Raises UnreadableContracts."""
    reference = Reference.of(place)
    with RegistryClient(reference.host, login, seconds) as client:
        layers = _layers(reference, _manifest(client, reference))
        return Contracts.read(_fetching(client, reference, layers), where=f"{reference}/")


def _manifest(client: RegistryClient, reference: Reference) -> bytes:
    url = f"{reference.base}/manifests/{reference.version}"
    answer = client.ask("GET", url, most=MAX_MANIFEST_BYTES, headers={"Accept": MANIFEST})
    if answer.status == _NOT_FOUND:
        raise UnreadableContracts(f"there is no {reference}")
    if answer.status != _OK:
        raise UnreadableContracts(f"{reference} can't be read: the answer was {answer.status}")
    if len(answer.body) > MAX_MANIFEST_BYTES:
        raise UnreadableContracts(f"{reference} has a manifest of more than {MAX_MANIFEST_BYTES} bytes")
    if reference.by_digest and _digest(answer.body) != reference.version:
        raise UnreadableContracts(f"{reference} is not what the registry gave: its digest differs")
    return answer.body


def _layers(reference: Reference, manifest: bytes) -> Mapping[str, tuple[str, int]]:
    """Digest and size by the path of a file."""
    try:
        found = json.loads(manifest)
        layers = found["layers"] if isinstance(found, dict) else None
        listed = [(each["annotations"][TITLE], each["digest"], each["size"]) for each in layers or ()]
    except (ValueError, KeyError, TypeError, RecursionError):
        listed = []
    right = 0 < len(listed) <= MAX_FILES + 1 and all(
        isinstance(title, str) and isinstance(size, int) and DIGEST.fullmatch(str(digest))
        for title, digest, size in listed
    )
    if not right or len({title for title, *_ in listed}) < len(listed):
        raise UnreadableContracts(
            f"{reference} holds no contracts: each file is a layer with its path as {TITLE}. Push it by "
            "slipway-contracts push, or by oras file by file"
        )
    return {title: (digest, size) for title, digest, size in listed}


def _fetching(
    client: RegistryClient, reference: Reference, layers: Mapping[str, tuple[str, int]]
) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        if path not in layers:
            raise UnreadableContracts(f"{reference} has no {path}")
        digest, size = layers[path]
        if not 0 <= size <= MAX_FILE_BYTES:
            raise UnreadableContracts(f"{reference}/{path} is too large: {size} bytes, of at most {MAX_FILE_BYTES}")
        answer = client.ask("GET", f"{reference.base}/blobs/{digest}", most=size)
        if answer.status != _OK:
            raise UnreadableContracts(f"{reference}/{path} can't be read: the answer was {answer.status}")
        if _digest(answer.body) != digest:
            raise UnreadableContracts(f"{reference}/{path} is not what the manifest says: its digest differs")
        return answer.body

    return fetch


# --- the other way
def pushed(folder: Path, place: str, login: RegistryLogin) -> str:
    """Writes a folder's contracts under a tag, and returns the artifact's address by digest.

    Raises:
        UnreadableContracts: they can't be read, the address is none, or the registry refuses them
    """
    reference = Reference.of(place)
    if reference.by_digest:
        raise UnreadableContracts(f"{reference} names a digest, which comes of what is pushed: name a tag")
    contracts = Contracts.read(reading(folder), where=f"{folder}/")
    contracts.parse()
    files = {**contracts.files, INDEX: contracts.index()}
    manifest = manifest_of(files)
    with RegistryClient(reference.host, login) as client:
        for content in [NOTHING, *files.values()]:
            _upload(client, reference, content)
        url = f"{reference.base}/manifests/{reference.version}"
        answer = client.ask("PUT", url, most=MAX_MANIFEST_BYTES, headers={"Content-Type": MANIFEST}, body=manifest)
    if answer.status not in (_OK, _CREATED):
        raise RegistryError(f"{reference} was not taken: the answer was {answer.status} {_words(answer.body)}".strip())
    return str(Reference(reference.host, reference.name, _digest(manifest)))


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """Equal for equal files: it says neither when nor who."""
    layers = [{**_described(FILE, content), "annotations": {TITLE: path}} for path, content in sorted(files.items())]
    return json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT, "config": _described(EMPTY, NOTHING),
        "layers": layers,
    }).encode()  # fmt: skip


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _upload(client: RegistryClient, reference: Reference, content: bytes) -> None:
    """What is there already is not sent again."""
    digest = _digest(content)
    if client.ask("HEAD", f"{reference.base}/blobs/{digest}", most=0).status == _OK:
        return
    begun = client.ask("POST", f"{reference.base}/blobs/uploads/", most=MAX_MANIFEST_BYTES, body=b"")
    location = joined(begun.url, begun.headers.get("location", ""))
    if begun.status != _ACCEPTED:
        raise RegistryError(f"{reference} takes no files: the answer was {begun.status} {_words(begun.body)}".strip())
    require_tls(location, f"{reference.host} takes files at")
    target = f"{location}{'&' if '?' in location else '?'}digest={digest}"
    answer = client.ask(
        "PUT", target, most=MAX_BYTES, headers={"Content-Type": "application/octet-stream"}, body=content
    )
    if answer.status != _CREATED:
        raise RegistryError(f"{reference} took no file: the answer was {answer.status} {_words(answer.body)}".strip())


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _words(body: bytes) -> str:
    """What a registry says of its reasons."""
    try:
        return ", ".join(str(one["message"])[:100] for one in json.loads(body)["errors"][:2])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
