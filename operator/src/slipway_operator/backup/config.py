"""What libpq reads from the environment beside an address: PGPORT, PGSSLCERT and others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def libpq_settings() -> dict[str, str]:
    """By name, with HOME, where libpq looks for files that nobody names."""
    return {name: said for name, said in os.environ.items() if name.startswith("PG") or name == "HOME"}


@contextmanager
def without_libpq_settings() -> Iterator[None]:
    """For the block, which speaks to another server than the one that they are meant for."""
    kept = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(kept)
