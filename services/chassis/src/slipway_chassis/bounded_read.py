"""Answers of other servers, bounded in size and in time as a whole."""

from slipway_contracts.bounded_read import read_within

__all__ = ["read_within"]
