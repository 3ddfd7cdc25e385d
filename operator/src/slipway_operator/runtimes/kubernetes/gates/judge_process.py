"""Where contracts are judged: a process for each question, that is ended when its time is over.

One at a time, and each namespace waits in line once: a team with many services does not keep another one waiting.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from .contract_question import MEMORY_BYTES, PROCESSOR_SECONDS, Answer, Question

log = logging.getLogger(__name__)

LONGEST_SECONDS = 20.0
_MODULE = "slipway_operator.runtimes.kubernetes.gates.judging"
# One arena: each thread's own would count as memory that is used.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Judge(Protocol):
    async def judge(self, namespace: str, question: Question) -> Answer:
        """Inconclusive where the question takes more than it may."""


class JudgeProcess:
    def __init__(self, *, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest_seconds = longest_seconds
        self._hand = asyncio.Lock()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # by namespace, with how many wait or are asked

    async def judge(self, namespace: str, question: Question) -> Answer:
        async with self._turn(namespace), self._hand:
            return await self._asked(question)

    @asynccontextmanager
    async def _turn(self, namespace: str) -> AsyncIterator[None]:
        lock, count = self._turns.get(namespace, (asyncio.Lock(), 0))
        self._turns[namespace] = (lock, count + 1)
        try:
            async with lock:
                yield
        finally:
            lock, count = self._turns.pop(namespace)
            if count > 1:
                self._turns[namespace] = (lock, count - 1)

    async def _asked(self, question: Question) -> Answer:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _MODULE, env=_ENVIRONMENT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._longest_seconds):
                said, complaint = await process.communicate(json.dumps(question.as_json()).encode())
        except TimeoutError:
            return _over(question, f"{self._longest_seconds:.0f} s")
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
        if process.returncode == 0:
            return Answer(**json.loads(said))
        log.warning("contracts were not judged, %s: %s", process.returncode, complaint.decode(errors="replace")[-500:])
        return _over(question, f"{PROCESSOR_SECONDS} s of processor time or {MEMORY_BYTES // 2**20} MB of memory")


def _over(question: Question, budget: str) -> Answer:
    version = question.candidate.version
    said = f"comparing the contracts of {version} with those of others took more than {budget}, and was ended"
    return Answer("Inconclusive", f"{said}: make them smaller, with fewer alternatives in one schema")
