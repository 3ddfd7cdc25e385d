"""The judge of contracts without a process of its own: quick, and its requests can be answered by a test."""

import asyncio
import json

from slipway_operator.runtimes.kubernetes.gates.api_usage import calls_of
from slipway_operator.runtimes.kubernetes.gates.contract_question import Question
from slipway_operator.runtimes.kubernetes.gates.judging import answer
from slipway_operator.runtimes.kubernetes.gates.pod_requests import content


class JudgeInProcess:
    def __init__(self, ask=content, count=calls_of):
        self.ask, self.count = ask, count

    async def judge(self, namespace, question):
        same = Question.of(json.loads(json.dumps(question.as_json())))
        return await asyncio.to_thread(answer, same, ask=self.ask, count=self.count)
