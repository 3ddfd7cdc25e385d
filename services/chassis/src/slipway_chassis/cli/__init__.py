"""The command ``slipway``: ``main`` (finds and runs commands), one module per command, ``output``."""

from .main import cli, main

__all__ = ["cli", "main"]
