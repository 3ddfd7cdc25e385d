"""Faults drawn at random, always the same ones for a seed. Pure: what they are done to is not here."""

import random
from dataclasses import dataclass

PROCESSES = (
    "orders http", "orders relay", "orders relay 2", "orders consumer", "users http", "users worker",
    "inventory grpc", "inventory worker", "storefront http", "gateway",
)  # fmt: skip
SERVERS = ("Kafka", "PostgreSQL")
# Longer than a consumer's session of ten seconds: one that went on later must notice that others have its partitions.
LONGEST_PAUSE = 14.0
# What a fault is, and how often it is drawn beside the others.
KINDS = {"kill": 6, "pause": 4, "restart": 2, "pair": 2}


@dataclass(frozen=True, slots=True)
class Fault:
    """``after`` seconds of peace, ``kind`` is done to the ``victims``: kill (SIGKILL), pause (SIGSTOP, and SIGCONT
    ``seconds`` later), restart (a server is stopped in peace), pair (two are killed at once).
    """

    after: float
    kind: str
    victims: tuple[str, ...]
    seconds: float = 0.0


def draw(seed, seconds):
    """Faults for about so many seconds; the first ones of a longer plan are those of a shorter one."""
    chance = random.Random(seed)
    faults, spent = [], 0.0
    while True:
        fault = _fault(chance)
        spent += fault.after + fault.seconds
        if spent > seconds:
            return faults
        faults.append(fault)


def _fault(chance):
    after = round(chance.uniform(0.3, 4.5), 2)
    [kind] = chance.choices(list(KINDS), weights=list(KINDS.values()))
    if kind == "restart":
        return Fault(after, kind, (chance.choice(SERVERS),))
    if kind == "pause":
        return Fault(
            after, kind, (chance.choice([*PROCESSES, *SERVERS]),), round(chance.uniform(0.5, LONGEST_PAUSE), 2)
        )
    return Fault(after, kind, tuple(chance.sample([*PROCESSES, *SERVERS], 2 if kind == "pair" else 1)))
