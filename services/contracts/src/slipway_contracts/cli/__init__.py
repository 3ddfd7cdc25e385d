"""The command ``slipway-contracts``: ``main``, ``check``, ``failure``, ``output``."""
