"""Envoy's configuration as files."""

import json
from pathlib import Path

from .envoy import envoy_config
from .errors import GatewayConfigurationError
from .inner import Inner
from .listeners import secret_configs
from .settings import GatewaySettings


def write(settings: GatewaySettings, output: Path, inner: Inner | None = None) -> None:
    """The configuration, and beside it what says where certificates lie, so that renewed ones are taken."""
    folder = output.absolute().parent
    config = envoy_config(settings, secret_folder=str(folder), inner=inner)
    files = {folder / name: content for name, content in secret_configs(settings).items()}
    if output.absolute() in files:
        raise GatewayConfigurationError(f"{output} is where a certificate is named: choose another name")
    for path, content in {**files, output: config}.items():
        try:
            path.write_text(json.dumps(content, indent=1))
        except OSError as error:
            raise GatewayConfigurationError(f"{path} can't be written: {error.strerror}") from None
