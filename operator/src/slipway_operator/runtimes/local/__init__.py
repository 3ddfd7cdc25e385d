"""The whole platform as processes on one laptop, on real PostgreSQL, Kafka and Envoy, released by the planner.

``system`` (what to run, read from pyproject.toml) · ``layout`` (folder, ports, lock) · ``versions`` (copies of code)
· ``state`` (what is wanted, in files) → ``observing`` and ``executing`` (pure: what the planner sees, what its steps
change) → ``processes``, ``gateway``, ``gate_checks``, ``leftovers`` (edges) → ``reconciler`` (one look at one service)
→ ``platform`` (starts, watches, stops all) → ``cli`` (``slipway up``). ``releasing`` and ``release_cli`` ask from
another terminal; ``progress`` says what happens.
"""
