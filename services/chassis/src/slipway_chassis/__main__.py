"""``python -m slipway_chassis`` is the command ``slipway``."""

from .cli import main

main()
