"""One module per process: ``http``, ``consumer``, ``relay``, ``migrate``. Run with ``python -m orders.entrypoints.<process>``."""
