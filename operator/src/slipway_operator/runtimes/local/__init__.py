"""The whole platform as processes on one laptop, on real PostgreSQL, Kafka and Envoy.

``system`` (what to run, read from pyproject.toml) · ``layout`` (folder, ports, lock) · ``platform``
 (starts, watches, stops) · ``cli`` (``slipway up``).
"""
