"""Envoy's configuration as files."""

import json
from pathlib import Path
from typing import Any

from .envoy import envoy_config
from .errors import GatewayConfigurationError
from .inner import Inner
from .listeners import secret_config
from .settings import GatewaySettings

SECRET_FILE = "certificate.json"  # noqa: S105 # says where the certificate lies


def write(settings: GatewaySettings, output: Path, inner: Inner | None = None) -> None:
    """The configuration, and beside it what says where the certificate lies, so that a renewed one is taken."""
    secret = output.absolute().with_name(SECRET_FILE) if settings.tls.enabled else None
    config = envoy_config(settings, secret_file=str(secret) if secret else None, inner=inner)
    files: dict[Path, dict[str, Any]] = {output: config}
    if secret:
        files = {secret: secret_config(settings), **files}
    for path, content in files.items():
        try:
            path.write_text(json.dumps(content, indent=1))
        except OSError as error:
            raise GatewayConfigurationError(f"{path} can't be written: {error.strerror}") from None
