"""What a login takes from the environment: proxies, and what an exec plugin inherits. kubectl reads the same."""

import os
import tempfile
from pathlib import Path


def variable(name: str) -> str:
    """In capitals first, as ``HTTPS_PROXY`` and ``https_proxy`` are read; empty where neither is set."""
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def inherited() -> dict[str, str]:
    """The environment that a program of a kubeconfig is started with."""
    return dict(os.environ)


def ensure_home() -> None:
    """The official client asks for a home directory when it is imported; a container's user may be a number alone."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()
