"""A login by a kubeconfig: the official client's reader, and what it leaves out of kubectl's.

It gives several files' union, the context, its cluster and its user, passwords and tokens. Here: the first file's
current-context wins, paths are relative to the file they stand in, a plugin that fails is an error that names it and
not a request without a name, credentials that have an end are told with it, and nothing is written to a disk.
"""

import asyncio
import base64
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes.aio.config.dateutil import parse_rfc3339
from kubernetes.aio.config.exec_provider import ExecProvider
from kubernetes.aio.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

from ....errors import AccessUnknown
from .login import Login
from .proxies import proxy_for

PLUGIN_SECONDS = 10
# Tokens in files are renewed long before they end.
TOKEN_FILE_SECONDS = 60
_FILES = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


def log_in(paths: str, context: str = "") -> Login:
    """``paths`` as in KUBECONFIG. Takes seconds with a plugin, so it is called in a thread.

    Raises:
        AccessUnknown: a plugin gave nothing
        ConfigException, OSError, YAMLError, LookupError, TypeError, ValueError, AttributeError: the files are not valid
    """
    files = [str(path.absolute()) for path in map(Path, paths.split(os.pathsep)) if path.is_file()]
    if not files:
        raise FileNotFoundError("there is no such file")
    merger = KubeConfigMerger(os.pathsep.join(path for path in files if Path(path).read_text().strip()))
    if merger.config is None:
        raise ValueError("it is empty")
    for path, content in merger.config_files.items():
        _absolute(Path(path).parent, content)
    contexts = [content.get("current-context") for content in merger.config_files.values()]
    return asyncio.run(_Loader(merger.config, context or next(filter(None, contexts), "")).login())


def _absolute(folder: Path, content: dict[str, Any]) -> None:
    for kind, names in _FILES.items():
        for entry in content.get(f"{kind}s") or []:
            section = entry.get(kind) or {}
            for name in names:
                if section.get(name):
                    section[name] = str(folder / section[name])
            command = (section.get("exec") or {}).get("command", "")
            if os.sep in command:
                section["exec"]["command"] = str(folder / command)


class _Loader(KubeConfigLoader):  # type: ignore[misc] # its package is not typed
    def __init__(self, config: Any, context: str) -> None:
        if not context:
            raise ValueError("it has no current-context, and no other one was chosen")
        super().__init__(config_dict=config, active_context=context, config_base_path=None)
        self.token: str | None = None
        self.ends: datetime | None = None
        self.issued: dict[str, Any] = {}
        wanted = self.current_context["context"].get("user")
        if wanted and self._user is None:
            raise KeyError(f"there is no user {wanted}")
        if self.provider not in {None, "gcp", "oidc"}:
            raise ValueError(f"auth-provider {self.provider} is not known: use an exec plugin")

    async def login(self) -> Login:
        cluster, user = self._cluster, self._user if self._user is not None else {}
        server = str(cluster["server"]).rstrip("/")
        await self._load_authentication()
        return Login(
            server,
            authorization=self.token,
            namespace=self.current_context["context"].get("namespace") or "default",
            authority=_pem(cluster, "certificate-authority"),
            insecure=bool(cluster.safe_get("insecure-skip-tls-verify")),
            server_name=cluster.safe_get("tls-server-name"),
            proxy=proxy_for(server, cluster.safe_get("proxy-url")),
            certificate=self.issued.get("clientCertificateData") or _pem(user, "client-certificate"),
            key=self.issued.get("clientKeyData") or _pem(user, "client-key"),
            ends=self.ends,
        )

    def _load_user_token(self) -> bool:
        """A file's token wins over one beside it, and is read again from time to time."""
        file = self._user.safe_get("tokenFile")
        token = Path(file).read_text().strip() if file else self._user.safe_get("token")
        if file:
            self.ends = datetime.now(UTC) + timedelta(seconds=TOKEN_FILE_SECONDS)
        self.token = f"Bearer {token}" if token else None
        return bool(token)

    async def load_gcp_token(self) -> None:
        raise ValueError("auth-provider gcp ended with Kubernetes 1.26: use the exec plugin gke-gcloud-auth-plugin")

    async def _load_oid_token(self) -> None:
        """The client would renew it without looking at the issuer's certificate, and would lose what it was given."""
        token = self._user["auth-provider"]["config"]["id-token"]
        payload = token.split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("exp")
        self.ends = datetime.fromtimestamp(ends, UTC) if ends else None
        if self.ends and self.ends <= datetime.now(UTC):
            raise ValueError("its id-token has ended: kubectl renews it with its next request, an exec plugin always")
        self.token = f"Bearer {token}"

    async def load_from_exec_plugin(self) -> bool:
        user = self.current_context["context"]["user"]
        self.issued = _credential(ExecProvider(self._user["exec"]), self._user["exec"].value, self._cluster, user)
        token, ends = self.issued.get("token"), self.issued.get("expirationTimestamp")
        self.token = f"Bearer {token}" if token else None
        self.ends = parse_rfc3339(ends) if ends else None
        return True


def _credential(plugin: Any, configured: dict[str, Any], cluster: Any, user: str) -> dict[str, Any]:
    """The status of an ExecCredential, or why there is none."""
    what = f"the exec plugin {plugin.args[0]} of user {user}"
    if configured.get("interactiveMode") == "Always":
        raise AccessUnknown(f"{what} wants to speak with a person, and nobody is there: use another user")
    spec: dict[str, Any] = {"interactive": False}
    if configured.get("provideClusterInfo"):
        spec["cluster"] = {"server": cluster["server"], "certificate-authority-data": _encoded(cluster)}
    asked = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    environment = plugin.env | {"KUBERNETES_EXEC_INFO": json.dumps(asked)}
    try:
        done = subprocess.run(
            plugin.args,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLUGIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AccessUnknown(f"{what} did not end within {PLUGIN_SECONDS} s: run it by hand to see why") from None
    except OSError as error:
        hint = configured.get("installHint") or "install it, or write its whole path into the kubeconfig"
        raise AccessUnknown(f"{what} can't be run ({error.strerror}): {hint}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-300:]
        raise AccessUnknown(f"{what} failed with code {done.returncode}: {said or 'it said nothing'}")
    try:
        given = json.loads(done.stdout)
        status = dict(given["status"])
    except (ValueError, KeyError, TypeError):
        raise AccessUnknown(f"{what} printed no ExecCredential with a status") from None
    if given.get("apiVersion") != plugin.api_version:
        raise AccessUnknown(f"{what} speaks {given.get('apiVersion')}, its kubeconfig {plugin.api_version}")
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise AccessUnknown(f"{what} gave neither a token nor a certificate with its key")
    return status


def _encoded(section: Any, name: str = "certificate-authority") -> str | None:
    return FileOrData(section, name).as_data() or None


def _pem(section: Any, name: str) -> str | None:
    encoded = _encoded(section, name)
    return base64.b64decode(encoded).decode() if encoded else None
