"""Whether a restored database has the rows that were counted when it was dumped. Pure."""

from collections.abc import Mapping

MOST_TOLD = 5


def differences(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """A sentence for each table that is missing, is more than there was, or has another number of rows."""
    told = []
    for table in sorted({*expected, *found}):
        if table not in found:
            told.append(f"{table} is missing")
        elif table not in expected:
            told.append(f"{table} was not there")
        elif found[table] != expected[table]:
            told.append(f"{table} has {found[table]} rows, not {expected[table]}")
    if len(told) > MOST_TOLD:
        return [*told[:MOST_TOLD], f"and {len(told) - MOST_TOLD} tables more"]
    return told
