"""A registry of a test's own, on this machine, which asks for a password."""

from pathlib import Path

import yaml

from slipway_chassis.embedded.processes import Child, free_port, port_open
from support.tools import tool

USER, PASSWORD = "pipeline", "only-of-this-test"
# bcrypt of PASSWORD, the one form that a registry reads.
HTPASSWD = f"{USER}:$2b$05$52SXwG0PSQk.gCufty3uX.wUr0SXb6U.LtNDX7MtjbXCWGBN.suJO\n"


class Registry:
    """``with Registry(folder) as address``."""

    def __init__(self, folder: Path) -> None:
        port, debug = free_port(), free_port()
        (folder / "users").write_text(HTPASSWD)
        settings = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "users")}},
            "http": {"addr": f"127.0.0.1:{port}", "debug": {"addr": f"127.0.0.1:{debug}"}},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        command = [str(tool("registry")), "serve", str(folder / "config.yaml")]
        self._server = Child("registry", command, folder / "log", env={"PATH": "/usr/bin:/bin"})
        self._port = port

    def __enter__(self) -> str:
        self._server.start_and_wait(lambda: port_open(self._port), 30)
        return f"127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def logged_in(folder: Path) -> dict[str, str]:
    """Variables for the pipeline's scripts; what they log in to is remembered in ``folder`` and not in our home."""
    return {
        "REGISTRY_USER": USER,
        "REGISTRY_PASSWORD": PASSWORD,
        "DOCKER_CONFIG": str(folder / "docker"),
        "HELM_REGISTRY_CONFIG": str(folder / "helm.json"),
    }
