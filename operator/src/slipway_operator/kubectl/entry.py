"""Where ``kubectl-slipway`` begins: before anything is imported that may be missing."""

import sys
from types import ModuleType


def main() -> None:
    """The command."""
    _commands().main()


def complete() -> None:
    """What kubectl asks when TAB is pressed."""
    _commands().complete()


def _commands() -> ModuleType:
    try:
        from . import cli  # noqa: PLC0415 # it needs the extra
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        sys.exit(f"error: the package {package} is missing: pip install 'slipway-operator[kubectl]'")
    return cli
