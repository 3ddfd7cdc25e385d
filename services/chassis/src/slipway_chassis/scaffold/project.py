"""Where a new service comes to lie: in a project of its own, or beside the services of a workspace."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigurationError
from .published import REGISTRY

Mode = Literal["project", "workspace", "platform"]
PYPROJECT = "pyproject.toml"
BEGUN = {PYPROJECT, "README.md", "LICENSE"}  # what a project may have before its first service


@dataclass(frozen=True, slots=True)
class Project:
    """The folder in which ``slipway new`` was called.

    Attributes:
        mode: ``project``, its first service lies at its root; ``workspace``, a further one under ``services``;
            ``platform``, a workspace that has the sources of chassis and library chart (Slipway's own repository).
        gateway: the file that ``[tool.slipway]`` names, relative to ``root``.
        services: those that it has.
        registry: the OCI registry of the library chart.
    """

    root: Path
    mode: Mode
    gateway: Path = Path("gateway.yaml")
    services: tuple[str, ...] = ()
    registry: str = REGISTRY

    def folders(self, service: str) -> dict[str, str]:
        """Folder of templates -> where its files go, relative to the root; a folder that is not named is left out."""
        of_service = f"services/{service}"
        if self.mode == "platform":
            chart, tests = f"charts/{service}", f"tests/{service}"
            return {"service": of_service, "tests": tests, "chart": chart, "platform": "."}
        if self.mode == "workspace":
            own = {"service": of_service, "tests": f"tests/{service}", "chart": f"{of_service}/chart"}
            return own | {"image": of_service, "conftest": "."}
        return {"service": ".", "tests": "tests", "chart": "chart", "image": ".", "conftest": ".", "project": "."}


def find(root: Path) -> Project:
    """The project in ``root``, which may be an empty folder.

    Raises:
        ConfigurationError: its pyproject.toml can't be read or declares half a workspace, or one lies above; or it is
            full of something else.
    """
    declared = _declared(root / PYPROJECT)
    if declared is None:
        _require_none_above(root)
        _require_own_folder(root)
        return Project(root, "project")
    gateway, services, registry = (declared.get(key) for key in ("gateway", "services", "registry"))
    if not isinstance(gateway, str):
        raise ConfigurationError(f'{PYPROJECT}: [tool.slipway] names no gateway. Add: gateway = "gateway.yaml"')
    if not isinstance(services, dict):
        raise ConfigurationError(f"{PYPROJECT}: [tool.slipway] names no services. Add: [tool.slipway.services]")
    if not (root / gateway).is_file():
        raise ConfigurationError(f"{gateway}, the gateway's file by {PYPROJECT}, is not there")
    if Path(gateway).is_absolute() or ".." in Path(gateway).parts:
        raise ConfigurationError(f"{gateway}, the gateway's file by {PYPROJECT}, is not in this folder")
    has_sources = (root / "charts/service/Chart.yaml").is_file() and (root / "services/chassis").is_dir()
    mode: Mode = "platform" if has_sources else "workspace"
    return Project(root, mode, Path(gateway), tuple(services), str(registry or REGISTRY))


def _declared(file: Path) -> dict[str, Any] | None:
    """``[tool.slipway]`` of a pyproject.toml, if there is one."""
    if not file.exists():
        return None
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("slipway")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise ConfigurationError(f"{PYPROJECT}: tool.slipway is no table")
    return found


def _require_none_above(root: Path) -> None:
    """Within one repository."""
    for folder in root.parents if not (root / ".git").exists() else ():
        if _declared(folder / PYPROJECT) is not None:
            raise ConfigurationError(f"{folder} is a Slipway project, and this is a folder in it: run this there")
        if (folder / ".git").exists():
            return


def _require_own_folder(root: Path) -> None:
    """A home folder is no project: what is written there would lie among other things."""
    others = sorted(each.name for each in root.iterdir() if not each.name.startswith(".") and each.name not in BEGUN)
    versioned = any((folder / ".git").exists() for folder in (root, *root.parents))
    if others and not versioned and not (root / PYPROJECT).exists():
        found = ", ".join(others[:3]) + (", ..." if others[3:] else "")
        raise ConfigurationError(
            f"{root} has other things ({found}) and is no git repository: "
            "run this in an empty folder, or after git init"
        )
