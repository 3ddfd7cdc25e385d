"""The Lease is renewed while candidates of strangers are judged that mean to hold the operator up."""

import asyncio
import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from slipway_contracts import Contracts
from slipway_operator.runtimes.kubernetes.api.kinds import LEASE
from slipway_operator.runtimes.kubernetes.gates.contract_question import AdminPort, Asked, Question
from slipway_operator.runtimes.kubernetes.gates.judge_process import JudgeProcess
from slipway_operator.runtimes.kubernetes.process.lease import Leadership, LeaseDurations

DURATIONS = LeaseDurations(lease_duration=12, renew_deadline=8, retry_period=0.1)
LONGEST_SECONDS = 4.0  # of one candidate: three that held the loop up would be longer than the deadline


class Storage:
    """Of one Lease; each write is a version of it."""

    def __init__(self):
        self.spec, self.version = None, 0

    async def get(self, kind, _, name):
        assert kind is LEASE
        return self.spec and {"metadata": {"name": name, "resourceVersion": str(self.version)}, "spec": self.spec}

    async def create(self, _, __, manifest):
        return await self.replace(None, None, manifest)

    async def replace(self, _, __, manifest):
        self.spec, self.version = dict(manifest["spec"]), self.version + 1
        return manifest


def document(schemas):
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A0"}}}}
    operation = {"requestBody": content, "responses": {"200": {"description": "OK", **content}}}
    paths = {f"/v1/p{number}": {"post": operation} for number in range(50)}
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}


def unions(leaf):
    """Sixty kinds in each of sixty kinds, in another order in each of fifty properties."""
    inner = {f"I{n}": {"type": "object", "properties": {"v": {"type": leaf}, f"k{n}": {}}} for n in range(60)}
    within = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in inner]}
    outer = {f"O{n}": {"type": "object", "properties": {"i": within, f"o{n}": {}}} for n in range(60)}
    kinds = [{"$ref": f"#/components/schemas/{name}"} for name in outer]
    properties = {f"p{n}": {"anyOf": kinds[n:] + kinds[:n]} for n in range(50)}
    return document({"A0": {"properties": properties}, **inner, **outer})


def patterns(leaf):
    slow = "(a?){60}" + "(a|aa)+" * 20
    names = {f"{'a' * 60}{n}": {"type": leaf} for n in range(300)}
    return document({"A0": {"type": "object", "patternProperties": {slow: {"type": leaf}}, "properties": names}})


@contextmanager
def showing(contracts):
    files = {"/contracts": contracts.index(), **{f"/contracts/{path}": one for path, one in contracts.files.items()}}

    class Pod(BaseHTTPRequestHandler):
        def do_GET(self):
            content = files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pod) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield AdminPort("parcels-1", f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()


@contextmanager
def silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield AdminPort("parcels-1", f"http://127.0.0.1:{server.getsockname()[1]}")


def shown(make, leaf):
    return showing(Contracts("parcels", {"openapi.v1.json": json.dumps(make(leaf)).encode()}))


async def story(questions):
    storage = Storage()
    leadership = Leadership(namespace="ops", name="slipway-operator", identity="first", durations=DURATIONS)
    renewing = asyncio.create_task(leadership.run(storage))
    while not leadership.held:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    judge, answers, lost, renewed = JudgeProcess(longest_seconds=LONGEST_SECONDS), [], [], []
    for question in questions:
        before = storage.version
        answers.append(await judge.judge("shop", question))
        lost.append(not leadership.held)
        renewed.append(storage.version - before)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    return answers, lost, renewed, storage.spec["leaseTransitions"]


def test_three_hostile_candidates_are_judged_and_the_lease_is_kept():
    with ExitStack() as stack:
        pairs = [
            [stack.enter_context(shown(make, leaf)) for leaf in ("string", "integer")] for make in (unions, patterns)
        ]
        pairs.append([stack.enter_context(silent()) for _ in range(2)])
        questions = [
            Question(
                candidate=Asked("bbbbbbbb", (new,)), active=Asked("aaaaaaaa", (old,)), others={}, allow_breaking=False
            )
            for old, new in pairs
        ]
        answers, lost, renewed, transitions = asyncio.run(story(questions))

    assert [one.state for one in answers if one.state == "Passed"] == []
    assert lost == [False] * 3
    assert min(renewed) > 1, "the loop went on beside each of them"
    assert transitions == 1
