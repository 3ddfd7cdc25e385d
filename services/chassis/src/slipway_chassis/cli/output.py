"""How commands print: tables for people, JSON for programs, by the one option ``--output``."""

from slipway_contracts.cli.output import output_option, show

__all__ = ["output_option", "show"]
