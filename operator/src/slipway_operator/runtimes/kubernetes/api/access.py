"""Where the API server is, and as whom to speak to it: a service account's files, or a kubeconfig."""

import base64
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ....errors import AccessUnknown

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# Tokens of pods are renewed on disk long before they end.
TOKEN_SECONDS = 60


@dataclass(slots=True)
class Access:
    server: str
    authority: str | None = None  # PEM; None: those of the system
    insecure: bool = False
    token: str | None = None
    token_file: Path | None = None
    certificate: str | None = None  # PEM
    key: str | None = None  # PEM
    namespace: str = "default"
    _read: tuple[float, str] = field(default=(float("-inf"), ""))

    def headers(self) -> dict[str, str]:
        token = self.current_token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def current_token(self) -> str | None:
        if self.token_file is None:
            return self.token
        when, token = self._read
        if time.monotonic() - when > TOKEN_SECONDS:
            token = self.token_file.read_text().strip()
            self._read = (time.monotonic(), token)
        return token

    def tls(self) -> ssl.SSLContext | bool:
        if not self.server.startswith("https://"):
            return False
        context = ssl.create_default_context(cadata=self.authority)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            # The standard library takes certificates from files alone.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(self.certificate + "\n" + self.key)
                file.flush()
                context.load_cert_chain(file.name)
        return context


def in_cluster(host: str, port: int, account: Path = ACCOUNT) -> Access:
    host = f"[{host}]" if ":" in host else host
    try:
        return Access(
            f"https://{host}:{port}",
            authority=(account / "ca.crt").read_text(),
            token_file=account / "token",
            namespace=(account / "namespace").read_text().strip(),
        )
    except OSError as error:
        raise AccessUnknown(
            f"{error.filename} can't be read: set automountServiceAccountToken, or KUBECONFIG outside of a cluster"
        ) from None


def from_kubeconfig(path: Path, context: str = "") -> Access:
    try:
        content = yaml.safe_load(path.read_text())
        chosen = _named(content["contexts"], context or content["current-context"])["context"]
        cluster = _named(content["clusters"], chosen["cluster"])["cluster"]
        user = _named(content.get("users") or [], chosen["user"]).get("user") or {}
        return Access(
            cluster["server"].rstrip("/"),
            authority=_pem(path, cluster, "certificate-authority"),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            token=user.get("token"),
            token_file=Path(user["tokenFile"]) if "tokenFile" in user else None,
            certificate=_pem(path, user, "client-certificate"),
            key=_pem(path, user, "client-key"),
            namespace=chosen.get("namespace", "default"),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise AccessUnknown(f"{path} is no kubeconfig that can be used: {error!r}") from None


def _named(entries: list[Any], name: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return dict(entry)
    raise KeyError(name)


def _pem(path: Path, section: Mapping[str, Any], name: str) -> str | None:
    if f"{name}-data" in section:
        return base64.b64decode(section[f"{name}-data"]).decode()
    if name in section:
        return (path.parent / str(section[name])).read_text()
    return None
