"""Strangers' contracts are judged in a process of their own: bounded, ended in time, one namespace after the other."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest

from slipway_operator.runtimes.kubernetes.gates.api_usage import LARGEST_METRICS, calls_in, counted
from slipway_operator.runtimes.kubernetes.gates.contract_question import (
    MEMORY_BYTES,
    PROCESSOR_SECONDS,
    AdminPort,
    Answer,
    Asked,
    Question,
)
from slipway_operator.runtimes.kubernetes.gates.judge_process import JudgeProcess

USED = 'http_api_requests_total{deprecated="true",version="v1"} 3.0'
GRPC = 'grpc_server_calls_total{method="/stock.v1.Stock/Reserve"} 2.0'


@contextmanager
def silent_pod():
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield AdminPort("orders-1", f"http://127.0.0.1:{server.getsockname()[1]}")


def about(*ports):
    return Question(candidate=Asked("bbbbbbbb", ports), active=None, others={}, allow_breaking=False)


def test_a_question_is_answered_by_another_process():
    answer = asyncio.run(JudgeProcess().judge("shop", about()))
    assert answer == Answer("Inconclusive", "no ready pod has a container port named admin")


def test_a_process_that_takes_too_long_is_ended(monkeypatch):
    ended, wait = [], os.kill
    monkeypatch.setattr(os, "kill", lambda pid, number: (ended.append(number), wait(pid, number)))
    with silent_pod() as pod:
        answer = asyncio.run(JudgeProcess(longest_seconds=0.2).judge("shop", about(pod)))

    assert answer.state == "Inconclusive"
    assert answer.message.startswith("comparing the contracts of bbbbbbbb with those of others took more than 0 s")
    assert ended == [signal.SIGKILL]


def test_who_asks_and_is_stopped_leaves_no_process_behind(monkeypatch):
    begun = []
    original = asyncio.create_subprocess_exec

    async def started(*words, **options):
        begun.append(await original(*words, **options))
        return begun[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)

    async def story(pod):
        asking = asyncio.create_task(JudgeProcess().judge("shop", about(pod)))
        async with asyncio.timeout(60):
            while not begun:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return begun[0].returncode

    with silent_pod() as pod:
        assert asyncio.run(story(pod)) == -signal.SIGKILL


def test_memory_and_processor_time_are_bounded():
    program = """
import json, resource
from slipway_operator.runtimes.kubernetes.gates import judging
judging._bound()
try:
    bytearray(judging.MEMORY_BYTES)
except MemoryError:
    print(json.dumps([resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [MEMORY_BYTES, PROCESSOR_SECONDS]


class Slow(JudgeProcess):
    def __init__(self):
        super().__init__()
        self.asked, self.at_once, self.most = [], 0, 0

    async def _asked(self, question):
        self.asked.append(question.candidate.version)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return Answer("Passed", "")


def test_each_namespace_waits_in_line_once():
    async def story():
        judge = Slow()
        questions = [("greedy", f"greedy-{number}") for number in range(5)] + [("modest", "modest")]
        await asyncio.gather(
            *(
                judge.judge(
                    namespace, Question(candidate=Asked(name, ()), active=None, others={}, allow_breaking=False)
                )
                for namespace, name in questions
            )
        )
        return judge

    judge = asyncio.run(story())
    assert judge.most == 1
    assert judge.asked.index("modest") <= 1
    assert sorted(judge.asked) == [*(f"greedy-{number}" for number in range(5)), "modest"]
    assert judge._turns == {}


@pytest.mark.parametrize("size", [7, 64, 1 << 20])
def test_of_metrics_only_what_is_asked_for_is_kept(size):
    text = b"a 1\n" * 20_000 + f"{USED}\n{GRPC}\n# HELP x y\nhttp_api_requests_total_created 1".encode()
    kept = list(counted(text[start : start + size] for start in range(0, len(text), size)))

    assert kept == [USED.encode(), GRPC.encode()]
    assert calls_in(b"\n".join(kept).decode()) == Counter({"v1": 3, "stock.v1": 2})


@pytest.mark.parametrize(
    "text", [(b"a" * 1023 + b"\n") * (LARGEST_METRICS // 1024 + 1), f"{USED}\n".encode() * 50_000, b"x" * 200_000]
)
def test_what_is_too_much_to_be_metrics_is_none(text):
    with pytest.raises(ValueError, match=r"more than metrics have|a line without an end"):
        list(counted(text[start : start + 65_536] for start in range(0, len(text), 65_536)))
