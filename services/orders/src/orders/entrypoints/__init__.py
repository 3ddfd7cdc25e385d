"""One module per process: ``http``, ``consumer``, ``relay``, ``migrate``.

Each runs by itself: ``python -m orders.entrypoints.http``.
"""
