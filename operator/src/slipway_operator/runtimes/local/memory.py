"""What processes take of a machine's memory."""

from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """``how``: the measure, in words. Only Linux knows the proportional set size, in which a page that n processes
    share counts as one n-th for each; the resident set size counts it n times.
    """

    megabytes: int
    how: str


def taken(processes: Iterable[psutil.Process]) -> Memory:
    """Of all of them together. A process that is gone takes none; one that may not be looked into (of another user,
    in a container without that right) counts with what is resident of it, which is more.
    """
    how = "proportional set size" if psutil.LINUX else "resident set size, shared pages counted once per process"
    return Memory(sum(map(_bytes, processes)) // 1_000_000, how)


def _bytes(process: psutil.Process) -> int:
    try:
        return _proportional(process) or process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _proportional(process: psutil.Process) -> int:
    """0: it is not known."""
    if not psutil.LINUX:
        return 0
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return 0
