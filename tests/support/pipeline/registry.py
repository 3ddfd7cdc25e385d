"""A registry of a test's own, on this machine: one that asks for a password, or a public one that speaks TLS."""

import os
import ssl
from pathlib import Path

import yaml

from slipway_chassis.embedded.processes import Child, free_port, port_open
from support.cluster.authority import Authority, pem
from support.tools import tool

USER, PASSWORD = "pipeline", "only-of-this-test"
# bcrypt of PASSWORD, the one form that a registry reads.
HTPASSWD = f"{USER}:$2b$05$52SXwG0PSQk.gCufty3uX.wUr0SXb6U.LtNDX7MtjbXCWGBN.suJO\n"


class Registry:
    """``with Registry(folder) as address``. ``public``: with a certificate for localhost, and open to everybody; who
    trusts ``folder/authorities.pem``, which has those of the system as well, trusts it.
    """

    def __init__(self, folder: Path, *, public: bool = False) -> None:
        self._host = "localhost" if public else "127.0.0.1"
        port, debug = free_port(), free_port()
        settings = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": f"127.0.0.1:{port}", "debug": {"addr": f"127.0.0.1:{debug}"}},
        }
        settings |= _tls(folder, settings["http"]) if public else _password(folder)
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        command = [str(tool("registry")), "serve", str(folder / "config.yaml")]
        self._server = Child("registry", command, folder / "log", env={"PATH": "/usr/bin:/bin"})
        self._port = port

    def __enter__(self) -> str:
        self._server.start_and_wait(lambda: port_open(self._port), 30)
        return f"{self._host}:{self._port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def _password(folder: Path) -> dict:
    (folder / "users").write_text(HTPASSWD)
    return {"auth": {"htpasswd": {"realm": "tests", "path": str(folder / "users")}}}


def _tls(folder: Path, http: dict) -> dict:
    authority = Authority()
    certificate, key = authority.server("localhost")
    (folder / "server.pem").write_text(certificate)
    (folder / "server.key").write_text(key)
    system = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile)
    others = system.read_text() if system.is_file() else ""
    (folder / "authorities.pem").write_text(others + pem(authority.certificate))
    return {"http": http | {"tls": {"certificate": str(folder / "server.pem"), "key": str(folder / "server.key")}}}


def logged_in(folder: Path) -> dict[str, str]:
    """Variables for the pipeline's scripts; what they log in to is remembered in ``folder`` and not in our home."""
    return {
        "REGISTRY_USER": USER,
        "REGISTRY_PASSWORD": PASSWORD,
        "DOCKER_CONFIG": str(folder / "docker"),
        "HELM_REGISTRY_CONFIG": str(folder / "helm.json"),
    }
