"""A name whose servers of names are silent, or that has many addresses, holds nobody longer than is said."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from slipway_contracts import resolving
from slipway_contracts.config import RegistryLogin
from slipway_contracts.errors import UnreadableContracts
from slipway_contracts.oci_artifact import pulled
from slipway_contracts.registry import others_of
from slipway_contracts.resolving import MOST_ADDRESSES, MOST_QUESTIONS, addresses_of
from slipway_contracts.watched import Watch
from slipway_operator.runtimes.kubernetes.gates.pod_requests import asked

NAME = "registry.example"


def open_questions():
    return [each for each in threading.enumerate() if each.name == "resolving"]


@pytest.fixture(name="silent")
def _silent(monkeypatch):
    """The resolver says nothing until this is set."""
    speaks = threading.Event()

    def asked_for_ever(*_, **__):
        speaks.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr(resolving.socket, "getaddrinfo", asked_for_ever)
    yield speaks
    speaks.set()
    for each in open_questions():
        each.join(10)


WAYS = {
    "a URL": lambda: others_of([f"https://{NAME}/contracts"], seconds=0.3),
    "an artifact": lambda: pulled(f"oci://{NAME}/orders:v1", RegistryLogin(), seconds=0.3),
    "a pod": lambda: asked(f"http://{NAME}:1/contracts", seconds=0.3).__enter__(),
}


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("way", WAYS)
def test_servers_of_names_that_are_silent_are_given_up_at_the_same_point_in_time(way):
    began = time.monotonic()
    with pytest.raises((UnreadableContracts, OSError), match=r"within 0\.3 s"):
        WAYS[way]()

    assert time.monotonic() - began < 20, "the resolver is silent for 60 s"


def test_few_questions_are_left_behind_and_their_places_come_back(silent):
    for _ in range(MOST_QUESTIONS):
        with pytest.raises(TimeoutError, match="was not found within"):
            addresses_of(NAME, 443, seconds=0.01)
    with pytest.raises(TimeoutError, match="was not looked up in time"):
        addresses_of(NAME, 443, seconds=0.01)
    assert len(open_questions()) == MOST_QUESTIONS

    silent.set()

    assert addresses_of(NAME, 443, seconds=10) == [(socket.AF_INET, ("127.0.0.1", 9))]


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".example", "a..b"])
def test_a_name_that_is_none_is_told_as_that(monkeypatch, host):
    if host.endswith(".invalid"):
        monkeypatch.setattr(resolving.socket, "getaddrinfo", _no_such_name)

    with pytest.raises(UnreadableContracts, match=r"can't be read: .*(not known|no name of a server)"):
        others_of([f"http://{host}/contracts"], seconds=5)


def _no_such_name(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def deaf(stack):
    """An address where nothing is accepted, and whose line is full."""
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listening.getsockname())
    return listening.getsockname()


def test_a_name_of_many_addresses_is_tried_within_the_same_time(monkeypatch):
    with ExitStack() as stack, Watch(0.4) as watch:
        where = deaf(stack)
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)] * 1000
        monkeypatch.setattr(resolving.socket, "getaddrinfo", lambda *_, **__: answers)
        began = time.monotonic()

        with pytest.raises(TimeoutError):
            watch.connected(NAME, 443, 0.3)

        assert time.monotonic() - began < 20, "1000 addresses would take 300 s"
        assert len(addresses_of(NAME, 443, seconds=5)) == MOST_ADDRESSES


def test_the_next_address_is_tried_where_the_first_does_not_answer(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as closed, Watch(5) as watch:
        closed.bind(("127.0.0.1", 0))
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one.getsockname()) for one in (closed, listening)]
        monkeypatch.setattr(resolving.socket, "getaddrinfo", lambda *_, **__: answers)

        with watch.connected(NAME, 443, 1) as connected:
            assert connected.getpeername() == listening.getsockname()


def test_an_address_further_inside_is_not_even_connected_to(monkeypatch):
    watch = Watch(5)
    watch.require_allowed("registry.example", "8.8.8.8")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", listening.getsockname())]
        monkeypatch.setattr(resolving.socket, "getaddrinfo", lambda *_, **__: answers)

        with pytest.raises(UnreadableContracts, match=r"sends us to storage\.example, which is 127\.0\.0\.1"):
            watch.connected("storage.example", 443, 1)

        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
