"""``slipway run``: one process of a service."""

import importlib
import sys
from pathlib import Path

import click

from ..errors import ConfigurationError
from ..processes import run as run_process
from ..service import Service


@click.command()
@click.argument("module")
@click.argument("process")
def run(module: str, process: str) -> None:
    """Run PROCESS (http, grpc, relay, consumer, worker or migrate) of the service in MODULE until SIGTERM.

    MODULE is a service's package, or one Python module that declares it. Settings are read from the
    environment, for example DATABASE_URL.

    \b
    Examples:
      slipway run orders http
      slipway run orders worker     # relay and consumer in one process
      slipway run orders migrate
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    run_process(find_service(module), process)


def find_service(module: str) -> Service:
    """The service a module or package declares: in ``bootstrap`` of a package, else in the module itself."""
    sys.path.append(str(Path.cwd()))  # last: what lies here hides no installed package
    try:
        found = importlib.import_module(module)
        if hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.bootstrap"):
            found = importlib.import_module(f"{module}.bootstrap")
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise
        raise ConfigurationError(
            f"there is no module {module!r}. Install the service, or run this in the folder where it lies"
        ) from None
    declared = [value for value in vars(found).values() if isinstance(value, Service)]
    if len(declared) != 1:
        raise ConfigurationError(
            f"{found.__name__} declares {len(declared)} services, not one. Declare it there: "
            f"{module.upper()} = service({module!r}, ...)"
        )
    return declared[0]
