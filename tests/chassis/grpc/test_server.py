"""gRPC with what HTTP has, on a real server and a real channel; the service is made from a proto here."""

import importlib
import socket
import struct
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_tools import protoc

from slipway_chassis import deadline
from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.auth.scopes import principal_of_call
from slipway_chassis.cli.exporting import contracts_of
from slipway_chassis.config import GrpcSettings
from slipway_chassis.errors import DatabaseUnavailable, DeadlineExceeded, UpstreamUnavailable
from slipway_chassis.grpc.client import guarded_channel
from slipway_chassis.grpc.places import Places, TooManyCalls
from slipway_chassis.grpc.server import GrpcServer, GrpcService
from slipway_chassis.resources import Resources
from slipway_chassis.service import service
from slipway_chassis.telemetry.correlation import current_request_id, current_traceparent, request_id_of, span
from slipway_contracts.bundle import PROTOBUF

PROTO = """
syntax = "proto3";
package stock.v1;
message Item { string name = 1; }
message Level { int32 count = 1; string note = 2; }
service Stock {
  rpc Query(Item) returns (Level);
  rpc Watch(Item) returns (stream Level);
}
"""


@pytest.fixture(scope="module", name="stubs")
def _stubs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proto")
    (folder / "stock.proto").write_text(PROTO)
    arguments = ["protoc", f"-I{folder}", f"--python_out={folder}", f"--grpc_python_out={folder}", "stock.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, str(folder))
    yield importlib.import_module("stock_pb2"), importlib.import_module("stock_pb2_grpc")
    sys.path.remove(str(folder))


class OutOfStock(Exception):
    pass


@pytest.fixture(name="declared")
def _declared(stubs):
    messages, generated = stubs

    class Stock(generated.StockServicer):
        def Query(self, request, context):
            if request.name == "none":
                raise OutOfStock("There is no such item.")
            if request.name == "bug":
                raise RuntimeError("a secret detail")
            if request.name == "away":
                raise DatabaseUnavailable("PostgreSQL: secret host is down")
            if request.name == "slow":
                time.sleep(1)
            assert principal_of_call.get() is None or principal_of_call.get().subject == "ada"
            words = (current_request_id(), current_traceparent(), deadline.remaining(), id(self), context.peer())
            return messages.Level(count=7, note=" ".join(str(word) for word in words))

        def Watch(self, request, context):
            for count in range(3):
                yield messages.Level(count=count, note=current_request_id())
            if request.name == "bug":
                raise OutOfStock("There is no such item.")

    return GrpcService(
        descriptor=messages.DESCRIPTOR.services_by_name["Stock"],
        add=generated.add_StockServicer_to_server,
        servicer=lambda _standing: Stock(),
    )


def serve(declared, verifier=None, *, host="127.0.0.1", port=0):
    server = GrpcServer(
        [declared],
        Resources(verifier=verifier),
        settings=GrpcSettings(),
        problems={OutOfStock: 404},
    )
    return server, server.start(host, port)


@pytest.fixture(name="port")
def _port(declared):
    server, port = serve(declared)
    yield port
    server.drain(1)


@pytest.fixture(name="stub")
def _stub(port, stubs):
    with guarded_channel("stock", f"127.0.0.1:{port}", repeatable={"Query"}) as channel:
        yield stubs[1].StockStub(channel)


def test_trace_request_id_and_deadline_go_along(stub, stubs):
    with request_id_of("mine"), span("x") as _, deadline.until(time.time() + 1.5):
        request_id, traceparent, left, *_ = stub.Query(stubs[0].Item(name="tea")).note.split()
        ours = current_traceparent()

    assert request_id == "mine"
    assert traceparent[3:35] == ours[3:35]
    assert 0 < float(left) <= 1.5


def test_a_stream_keeps_its_context(stub, stubs):
    with request_id_of("mine"):
        levels = list(stub.Watch(stubs[0].Item(name="tea")))

    assert [(level.count, level.note) for level in levels] == [(0, "mine"), (1, "mine"), (2, "mine")]


def test_errors_are_statuses_and_secrets_stay_here(stub, stubs):
    for name, code, words in (
        ("none", grpc.StatusCode.NOT_FOUND, "There is no such item."),
        ("bug", grpc.StatusCode.INTERNAL, "An unexpected error happened"),
    ):
        with pytest.raises(grpc.RpcError) as error:
            stub.Query(stubs[0].Item(name=name))
        assert error.value.code() is code
        assert words in error.value.details()
        assert "secret" not in error.value.details()
    with pytest.raises(grpc.RpcError) as error:
        list(stub.Watch(stubs[0].Item(name="bug")))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_an_absent_dependency_is_unavailable_here_and_opens_the_circuit(stub, stubs):
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable, match="stock: UNAVAILABLE"):
            stub.Query(stubs[0].Item(name="away"))

    with pytest.raises(UpstreamUnavailable.__mro__[1], match="the circuit is open"):
        stub.Query(stubs[0].Item(name="tea"))


def test_the_callers_deadline_ends_the_call(stub, stubs):
    with deadline.until(time.time() + 0.2), pytest.raises(DeadlineExceeded):
        stub.Query(stubs[0].Item(name="slow"))


def test_tokens_and_scopes_guard_methods(declared, stubs, issuer):
    verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience="test")
    guarded = GrpcService(
        descriptor=declared.descriptor, add=declared.add, servicer=declared.servicer, scopes={"Query": ["stock:read"]}
    )
    server, port = serve(guarded, verifier)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs[1].StockStub(channel)

        def code(call, token=None):
            metadata = [("authorization", f"Bearer {token}")] if token else []
            try:
                answer = call(stubs[0].Item(name="tea"), metadata=metadata)
                list(answer) if hasattr(answer, "__iter__") else answer
            except grpc.RpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        assert code(stub.Query) is grpc.StatusCode.UNAUTHENTICATED
        assert code(stub.Query, issuer.token()) is grpc.StatusCode.PERMISSION_DENIED
        assert code(stub.Query, issuer.token(scopes=["stock:read"])) is grpc.StatusCode.OK
        assert code(stub.Watch) is grpc.StatusCode.UNAUTHENTICATED  # not listed, and guarded all the same
        assert code(stub.Watch, issuer.token()) is grpc.StatusCode.OK
    server.drain(1)


def test_health_and_reflection_answer(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        checked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="stock.v1.Stock"))
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        [listed] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))

    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    assert "stock.v1.Stock" in {one.name for one in listed.list_services_response.service}


def test_calls_are_spread_over_all_addresses_and_a_dead_one_costs_nothing(declared, stubs, eventually):
    servers = [serve(declared) for _ in range(2)]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for _, port in servers)
    with guarded_channel("stock", target, repeatable={"Query"}) as channel:
        stub = stubs[1].StockStub(channel)

        def who():
            return stub.Query(stubs[0].Item(name="tea")).note.split()[3]

        first = who()
        eventually(lambda: who() != first)  # both connections are there
        answered = [who() for _ in range(40)]
        servers[0][0].drain(1)
        for _ in range(20):
            assert stub.Query(stubs[0].Item(name="tea")).count == 7
    servers[1][0].drain(1)
    assert min(Counter(answered).values()) > 12  # while one is being connected anew, the other has the calls


def ask_until(stubs, target, enough):
    """Calls that are not tried again, until ``enough`` says so of (server, client's address) of all answers."""
    seen = []
    with guarded_channel("stock", target, timeout=20) as channel:
        stub = stubs[1].StockStub(channel)
        end = time.monotonic() + 60
        while not enough(seen) and time.monotonic() < end:
            *_, server, peer = stub.Query(stubs[0].Item(name="tea")).note.split()
            seen.append((server, peer))
    assert enough(seen)


def test_connections_are_made_anew_all_the_time_and_no_call_is_lost(stubs, port):
    """12 clients lose their connection 8 times each."""

    def often(seen):
        return len({peer for _, peer in seen}) > 8

    with ThreadPoolExecutor(12) as pool:
        done = [pool.submit(ask_until, stubs, f"127.0.0.1:{port}", often) for _ in range(12)]
        for each in done:
            each.result()


class Names:
    """A name server of one name."""

    def __init__(self, addresses):
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, name="names", daemon=True).start()

    def _serve(self):
        while True:
            question, asker = self._socket.recvfrom(512)
            end = question.index(b"\0", 12) + 5
            found = self.addresses if question[end - 4 : end - 2] == b"\0\1" else []  # an A record is asked for
            head = question[:2] + b"\x85\x80\0\1" + struct.pack(">H", len(found)) + b"\0\0\0\0"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4"  # the name of the question, A, IN, no time to live
            records = b"".join(record + socket.inet_aton(address) for address in found)
            self._socket.sendto(head + question[12:end] + records, asker)


def test_calls_follow_a_name_to_another_version_and_none_is_lost(declared, stubs, monkeypatch):
    old, port = serve(declared, host="127.0.0.2")
    new, _ = serve(declared, host="127.0.0.3", port=port)
    names = Names(["127.0.0.2"])
    plain = grpc.insecure_channel
    monkeypatch.setattr(
        grpc,
        "insecure_channel",
        lambda target, **rest: plain(target.replace("dns:///", f"dns://127.0.0.1:{names.port}/"), **rest),
    )
    switched = []

    def followed(seen):
        if len(seen) > 200 and not switched:
            names.addresses = ["127.0.0.3"]
            switched.append(time.monotonic())
        found = list(dict.fromkeys(server for server, _ in seen))
        return len(found) == 2 and [server for server, _ in seen][-200:] == [found[1]] * 200

    ask_until(stubs, f"stock.test:{port}", followed)
    for server in (old, new):
        server.drain(1)


def test_a_drain_lets_the_call_in_flight_finish(declared, stubs):
    server, port = serve(declared)
    answers = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs[1].StockStub(channel)
        stub.Query(stubs[0].Item(name="tea"))
        call = threading.Thread(target=lambda: answers.append(stub.Query(stubs[0].Item(name="slow"))))
        call.start()
        time.sleep(0.3)  # it is being worked on

        server.drain(10)
        call.join(10)

    assert answers[0].count == 7


def test_unfinished_calls_take_no_place(port, stub, stubs):
    """A client that says it will send a message, and does not."""
    never = threading.Event()

    def nothing():
        never.wait(60)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_unary("/stock.v1.Stock/Query", lambda message: message, lambda answer: answer)
        unfinished = [call.future(nothing()) for _ in range(70)]
        for _ in range(5):
            assert stub.Query(stubs[0].Item(name="tea"), timeout=30).count == 7
        assert not any(one.done() for one in unfinished)
        never.set()


def test_of_whole_calls_some_wait_in_their_time_and_the_others_are_refused_at_once():
    places = Places(working=1, waiting=1)

    with places.taken(), deadline.until(time.time() + 0.05), pytest.raises(DeadlineExceeded), places.taken():
        pass
    full = Places(working=1, waiting=0)
    with full.taken(), pytest.raises(TooManyCalls), full.taken():
        pass
    for free in (places, full):
        with free.taken():
            pass


def test_the_descriptors_are_part_of_the_contract(declared):
    files = contracts_of(service("stock", grpc=[declared])).files

    [described] = FileDescriptorSet.FromString(files[PROTOBUF]).file
    assert described.package == "stock.v1"
