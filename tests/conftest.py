"""What all tests share: the chassis' own fixtures, and where the repository lies."""

from pathlib import Path

from slipway_chassis.testing.plugin import eventually

pytest_plugins = ["slipway_chassis.testing.plugin"]
ROOT = Path(__file__).parent.parent

__all__ = ["ROOT", "eventually"]
