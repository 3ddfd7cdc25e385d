"""Fetches jars from a Maven repository, or from the reader's mirror of it, and checks what came."""

import hashlib
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from maven_artifact import Artifact, Resolver
from maven_artifact.requestor import Requestor
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from ..config import MachineSettings
from ..errors import EmbeddedError
from .jars import Jar

AT_ONCE = 4
TRIES = 4
TIMEOUT_SECONDS = 30  # without a byte
MAX_JAR_BYTES = 100_000_000
CHUNK_BYTES = 1 << 16
SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat
    "/etc/ssl/cert.pem",  # macOS, Alpine
)


def fetch(wanted: Sequence[Jar], folder: Path, machine: MachineSettings) -> None:
    """Brings the jars that ``folder`` lacks; a file there has its name only after it was checked.

    Raises:
        EmbeddedError: with the jar and the address, and what helps.
    """
    repository = _repository(machine)
    missing = [jar for jar in wanted if not (folder / jar.file_name).exists()]
    with requests.Session() as session, ThreadPoolExecutor(AT_ONCE) as threads:
        session.verify = _certificates(session)
        list(threads.map(lambda jar: _fetch(session, repository, jar, folder / jar.file_name), missing))


def _fetch(session: requests.Session, repository: Resolver, jar: Jar, file: Path) -> None:
    url = repository.uri_for_artifact(Artifact.parse(jar.coordinates))
    again = Retrying(
        retry=retry_if_exception_type(requests.RequestException),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(max=8),
        reraise=True,
    )
    part = file.with_suffix(".part")
    try:
        again(_download, session, url, part)
    except requests.RequestException as error:
        raise EmbeddedError(
            f"{jar.coordinates}, a part of Kafka, could not be fetched: {error}. "
            "Behind a mirror, name it: MAVEN_MIRROR=https://maven.example.org/public"
        ) from error
    _check(jar, part, url)
    part.rename(file)


def _download(session: requests.Session, url: str, part: Path) -> None:
    with session.get(url, stream=True, timeout=TIMEOUT_SECONDS) as answer, part.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_content(CHUNK_BYTES):
            file.write(chunk)
            if file.tell() > MAX_JAR_BYTES:
                raise EmbeddedError(f"{url} has more than {MAX_JAR_BYTES // 1_000_000} MB, and no part of Kafka has")


def _check(jar: Jar, part: Path, url: str) -> None:
    found = hashlib.sha256(part.read_bytes()).hexdigest()
    if found != jar.sha256:
        part.unlink()
        raise EmbeddedError(
            f"{url} is not what is locked: its SHA-256 is {found}, not {jar.sha256}. "
            "A proxy or a mirror may have answered with something else; name another: MAVEN_MIRROR=https://…"
        )


def _certificates(session: requests.Session) -> str | bool:
    """The system's, where it has some: a company's own authority is among them. Else those of ``requests``."""
    named = session.merge_environment_settings("https://", {}, stream=None, verify=None, cert=None)["verify"]
    if isinstance(named, str):
        return named
    # A Python that was not built for this system looks for them elsewhere.
    known = [ssl.get_default_verify_paths().cafile, *SYSTEM_CERTIFICATES]
    return next((file for file in known if file and Path(file).is_file()), True)


def _repository(machine: MachineSettings) -> Resolver:
    mirror = machine.maven_mirror or _mirror_of(Path(machine.home) / ".m2" / "settings.xml")
    return Resolver(mirror, Requestor()) if mirror else Resolver.default()


def _mirror_of(settings: Path) -> str:
    """The mirror that the reader's Maven uses for its central repository, or nothing."""
    try:
        root = ET.parse(settings).getroot()  # noqa: S314 # the reader's own file, which Maven reads as well
    except (OSError, ET.ParseError):
        return ""
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        of = (mirror.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")
        if {"*", "central", "external:*"} & set(of) and "!central" not in of:
            return (mirror.findtext("{*}url") or "").strip()
    return ""
