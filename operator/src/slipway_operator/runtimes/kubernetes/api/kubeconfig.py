"""A login by a kubeconfig: the official client's choice of credentials, and what it leaves out of kubectl's.

Here: what kubectl refuses is refused, a plugin that fails is an error that names it and not a request without a name,
credentials that have an end are told with it, impersonation, and nothing is written to a disk.
"""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kubernetes.aio.config.dateutil import parse_rfc3339
from kubernetes.aio.config.kube_config import KubeConfigLoader

from ....errors import AccessUnknown
from .exec_plugin import cluster_told, credential
from .kubeconfig_files import Section, mapping, text, union_of
from .login import Login, NotUsable
from .proxies import proxy_for

# Tokens in files are renewed long before they end.
TOKEN_FILE_SECONDS = 60
_IN_HEADER_NAMES = "!#$&'*+-.^_`|~"


def log_in(paths: str, context: str = "") -> Login:
    """``paths`` as in KUBECONFIG. Takes seconds with a plugin, so it is called in a thread.

    Raises:
        AccessUnknown: a plugin gave nothing
        NotUsable: the files are not valid, or have nothing to log in with
        OSError: a file can't be read
    """
    union = union_of(paths)
    chosen = context or union["current-context"]
    if not chosen:
        raise NotUsable("it has no current-context, and no other one was chosen")
    settings = _named(union, "contexts", chosen)
    cluster_name, user_name = (text(settings, key, f"context {chosen}") for key in ("cluster", "user"))
    if not cluster_name:
        raise NotUsable(f"context {chosen} names no cluster")
    cluster = _named(union, "clusters", cluster_name)
    user = _named(union, "users", user_name) if user_name else {}
    if user_name:
        user = _checked(user, f"user {user_name}")
    login = _of_cluster(cluster, f"cluster {cluster_name}", text(settings, "namespace", f"context {chosen}"))
    if not user_name and login["server"].startswith("https:"):
        raise NotUsable(f"context {chosen} names no user")
    one = {
        "contexts": [{"name": chosen, "context": settings}],
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
    }
    return Login(**login, **asyncio.run(_Loader(one, chosen, user_name, login["authority"]).credentials()))


def bearer(token: str, what: str) -> str:
    """The value of the header, without the line's end that files have."""
    return f"Bearer {_header(token, what)}"


def _header(value: str, what: str) -> str:
    """A line's end in it would be a header more."""
    value = value.strip()
    if not value:
        raise NotUsable(f"{what} is empty")
    if not value.isprintable():
        raise NotUsable(f"{what} has characters in it that no header can have")
    return value


def _named(union: dict[str, Any], plural: str, name: str) -> Section:
    for entry in union[plural]:
        if entry["name"] == name:
            section: Section = entry[plural.removesuffix("s")]
            return section
    raise NotUsable(f"there is no {plural.removesuffix('s')} {name}")


def _of_cluster(cluster: Section, what: str, namespace: str) -> dict[str, Any]:
    server, insecure = text(cluster, "server", what).rstrip("/"), cluster.get("insecure-skip-tls-verify")
    try:
        address = urlsplit(server)
        known = address.scheme in {"https", "http"} and address.hostname and not address.username and address.port != 0
    except ValueError:
        known = False
    if not known:
        raise NotUsable(f"server of {what} is not an address as https://host:port")
    if insecure is not None and not isinstance(insecure, bool):
        raise NotUsable(f"insecure-skip-tls-verify of {what} is neither true nor false")
    authority = _pem(cluster, "certificate-authority", what)
    if insecure and authority:
        raise NotUsable(f"{what} has an authority, and insecure-skip-tls-verify: take one of them away")
    return {
        "server": server,
        "namespace": namespace or "default",
        "authority": authority,
        "insecure": bool(insecure),
        "server_name": text(cluster, "tls-server-name", what) or None,
        "proxy": proxy_for(server, text(cluster, "proxy-url", what)),
    }


def _checked(user: Section, what: str) -> Section:
    """With one way to log in, as kubectl chooses it."""
    texts = ("token", "tokenFile", "username", "password")
    token, token_file, name, password = (text(user, key, what) for key in texts)
    certificate, key = (
        any(text(user, f"{name}{end}", what) for end in ("", "-data")) for name in ("client-certificate", "client-key")
    )
    provider, plugin = mapping(user, "auth-provider", what), mapping(user, "exec", what)
    if certificate and not key:
        raise NotUsable(f"{what} has a client-certificate without its client-key")
    if token and (name or password):
        raise NotUsable(f"{what} has a token and a password: take one of them away")
    if bool(name) != bool(password):
        raise NotUsable(f"{what} has a {'username' if name else 'password'} alone")
    if provider and plugin:
        raise NotUsable(f"{what} has an auth-provider and an exec plugin: take one of them away")
    if provider and (kind := text(provider, "name", f"auth-provider of {what}")) != "oidc":
        cure = "the exec plugin gke-gcloud-auth-plugin" if kind == "gcp" else "an exec plugin"
        raise NotUsable(f"auth-provider {kind} is not known, or not any more: use {cure} for {what}")
    if not (token or token_file or name or certificate or provider or plugin):
        raise NotUsable(f"{what} has no token, certificate, password or plugin")
    if token or token_file or name or certificate:  # a plugin beside them is not asked
        return {key: value for key, value in user.items() if key != "exec"}
    return user


def _impersonation(user: Section, what: str) -> tuple[tuple[str, str], ...]:
    name, uid = text(user, "as", what), text(user, "as-uid", what)
    groups, extra = user.get("as-groups") or [], mapping(user, "as-user-extra", what)
    many = {"as-groups": groups} | {f"as-user-extra {key}": values for key, values in extra.items()}
    for key, values in many.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise NotUsable(f"{key} of {what} is not a list of texts")
    if not name and (uid or groups or extra):
        raise NotUsable(f"{what} has as-uid, as-groups or as-user-extra without as")
    headers = [("Impersonate-User", name), ("Impersonate-Uid", uid)]
    headers += [("Impersonate-Group", group) for group in groups]
    for key, values in extra.items():
        headers += [(f"Impersonate-Extra-{quote(str(key), safe=_IN_HEADER_NAMES)}", value) for value in values]
    return tuple((header, _header(value, f"a value of {header} of {what}")) for header, value in headers if value)


class _Loader(KubeConfigLoader):  # type: ignore[misc] # its package is not typed
    def __init__(self, config: dict[str, Any], context: str, user: str, authority: str | None) -> None:
        super().__init__(config_dict=config, active_context=context, config_base_path=None)
        self.token: str | None = None
        self._name, self._what = user, f"user {user}"
        self._section: Section = config["users"][0]["user"]
        self._cluster_section: Section = config["clusters"][0]["cluster"]
        self._authority = authority
        self._ends: datetime | None = None
        self._reread: datetime | None = None
        self._issued: dict[str, Any] = {}

    async def credentials(self) -> dict[str, Any]:
        """Of a Login, its fields that say who asks."""
        impersonation = _impersonation(self._section, self._what)
        await self._load_authentication()
        return {
            "authorization": self.token,
            "certificate": self._issued.get("clientCertificateData")
            or _pem(self._section, "client-certificate", self._what),
            "key": self._issued.get("clientKeyData") or _pem(self._section, "client-key", self._what),
            "impersonation": impersonation,
            "ends": self._ends,
            "reread": self._reread,
        }

    def _load_user_token(self) -> bool:
        """A file's token wins over one beside it, and is read again from time to time."""
        file, token = self._section.get("tokenFile"), self._section.get("token")
        if file:
            self._reread = datetime.now(UTC) + timedelta(seconds=TOKEN_FILE_SECONDS)
            token = Path(file).read_text().strip() or token
        if file or token:
            self.token = bearer(token or "", f"{'tokenFile' if file else 'token'} of {self._what}")
        return bool(self.token)

    async def _load_oid_token(self) -> None:
        """The client would renew it without looking at the issuer's certificate, and would lose what it was given."""
        settings = mapping(self._section["auth-provider"], "config", f"auth-provider of {self._what}")
        token = text(settings, "id-token", f"auth-provider of {self._what}")
        self._ends = _end_of(token, f"id-token of {self._what}")
        if self._ends and self._ends <= datetime.now(UTC):
            raise NotUsable("its id-token has ended: kubectl renews it with its next request, an exec plugin always")
        self.token = bearer(token, f"id-token of {self._what}")

    async def load_from_exec_plugin(self) -> bool:
        authority = base64.b64encode(self._authority.encode()).decode() if self._authority else None
        told = cluster_told(self._cluster_section, authority)
        self._issued = credential(self._section["exec"], told, self._name)
        token, ends = self._issued.get("token"), self._issued.get("expirationTimestamp")
        plugin = f"the exec plugin {self._section['exec']['command']} of {self._what}"
        self.token = bearer(token, f"the token of {plugin}") if token else None
        try:
            self._ends = parse_rfc3339(ends) if ends else None
        except (ValueError, AttributeError):
            raise AccessUnknown(f"{plugin} gave an expirationTimestamp that is no time") from None
        return True


def _end_of(token: str, what: str) -> datetime | None:
    """Of a JSON Web Token."""
    try:
        payload = token.split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        ends = content.get("exp")
        return datetime.fromtimestamp(ends, UTC) if ends else None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError):
        raise NotUsable(f"{what} is not a JSON Web Token") from None


def _pem(section: Section, name: str, what: str) -> str | None:
    """Data wins over a file."""
    if data := text(section, f"{name}-data", what):
        try:
            return base64.b64decode("".join(data.split()), validate=True).decode()
        except ValueError:
            raise NotUsable(f"{name}-data of {what} is not base64 of a PEM file") from None
    if not (path := text(section, name, what)):
        return None
    if not (content := Path(path).read_text()).strip():
        raise NotUsable(f"{name} of {what} is an empty file")
    return content
