"""Servers that answer byte by byte are given up as a whole, and nobody sends us on to inner addresses."""

import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPException

import pytest

from slipway_contracts.config import RegistryLogin
from slipway_contracts.errors import UnreadableContracts
from slipway_contracts.oci_artifact import pulled
from slipway_contracts.registry import others_of
from slipway_contracts.remote_repository import at_remote
from slipway_contracts.watched import LINK_LOCAL, LOOPBACK, PRIVATE, PUBLIC, Watch, how_far_inside
from slipway_operator.runtimes.kubernetes.gates.pod_requests import asked

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@contextmanager
def serving(answer, host="127.0.0.1"):
    """``answer(connection)`` for each one that comes; the port."""
    ended = threading.Event()

    def one(connection):
        with connection:
            try:
                answer(connection, ended)
            except OSError:
                return

    def all_of_them(listening):
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    with socket.create_server((host, 0)) as listening:
        threading.Thread(target=all_of_them, args=(listening,), daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()


def dripping(text, rest):
    """The text at once, and a byte of the rest every 20 ms, for ever."""

    def answer(connection, ended):
        connection.recv(65536)
        connection.sendall(text)
        while not ended.wait(0.02):
            connection.sendall(rest)

    return answer


DRIPS = {"in the head": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), "in the body": (HEAD, b" "), "before all": (b"", b"H")}


@pytest.mark.parametrize("where", DRIPS)
@pytest.mark.parametrize("scheme", ["http", "oci"])
def test_a_server_that_drips_is_given_up_at_one_point_in_time(where, scheme):
    began = time.monotonic()
    with serving(dripping(*DRIPS[where])) as port, pytest.raises(UnreadableContracts) as told:
        if scheme == "oci":
            pulled(f"oci://127.0.0.1:{port}/orders:v1", RegistryLogin(), seconds=0.3)
        else:
            others_of([f"http://127.0.0.1:{port}/contracts"], seconds=0.3)

    assert "has not answered everything within 0.3 s" in str(told.value)
    assert time.monotonic() - began < 8, "the limit of one piece is 10 s"


def test_a_repository_that_drips_is_given_up_with_all_that_speaks_for_git():
    ended = threading.Event()

    def answer(connection, over):
        connection.recv(65536)
        connection.sendall(HEAD)
        try:
            while not over.wait(0.02):
                connection.sendall(b"0")
        finally:
            ended.set()

    with serving(answer) as port:
        with pytest.raises(UnreadableContracts, match=r"/users\.git#HEAD was not fetched within 1 s"):
            at_remote(f"http://127.0.0.1:{port}/users.git", seconds=1)

        assert ended.wait(20), "git-remote-http still listens to it"


def test_a_handshake_that_drips_is_given_up_too():
    with serving(dripping(b"\x16\x03\x03\x40\x00", b"\x02")) as port, pytest.raises(UnreadableContracts) as told:
        others_of([f"https://127.0.0.1:{port}/contracts"], seconds=0.3)

    assert "has not answered everything within 0.3 s" in str(told.value)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("8.8.8.8", PUBLIC), ("2001:4860:4860::8888", PUBLIC), ("10.1.2.3", PRIVATE), ("192.168.0.1", PRIVATE),
        ("100.64.0.1", PRIVATE), ("fd00::1", PRIVATE), ("169.254.169.254", LINK_LOCAL), ("fe80::1%eth0", LINK_LOCAL),
        ("127.0.0.1", LOOPBACK), ("127.8.8.8", LOOPBACK), ("::1", LOOPBACK), ("::", LOOPBACK),
        ("::ffff:10.0.0.1", PRIVATE), ("::ffff:127.0.0.1", LOOPBACK),
    ],
)  # fmt: skip
def test_how_far_inside_an_address_is(address, inside):
    assert how_far_inside(address) == inside


@pytest.mark.parametrize(
    ("first", "then", "refused"),
    [
        ("8.8.8.8", "8.8.4.4", False), ("8.8.8.8", "10.0.0.1", True), ("8.8.8.8", "127.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False), ("10.0.0.1", "169.254.169.254", True), ("10.0.0.1", "::1", True),
        ("127.0.0.1", "127.0.0.1", False), ("127.0.0.1", "10.0.0.1", False), ("10.0.0.1", "8.8.8.8", False),
    ],
)  # fmt: skip
def test_nobody_sends_us_further_inside(first, then, refused):
    watch = Watch(1)
    watch.require_allowed("registry.example", first)
    if not refused:
        watch.require_allowed("storage.example", then)
        return
    with pytest.raises(UnreadableContracts, match=r"registry\.example sends us to storage\.example, which is"):
        watch.require_allowed("storage.example", then)


def own_address():
    """An address of this machine that others reach; none where it has no network."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            found = probe.getsockname()[0]
    except OSError:
        return None
    return found if how_far_inside(found) < LOOPBACK else None


@pytest.mark.skipif(own_address() is None, reason="this machine has no address but its loopback")
def test_a_redirect_to_this_machine_is_refused_before_anything_is_asked_there():
    heard = []

    def kept(connection, _):
        heard.append(connection.recv(65536))

    with serving(kept) as inner:
        location = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner}/x\r\nContent-Length: 0\r\n\r\n".encode()

        def sends_on(connection, _):
            connection.recv(65536)
            connection.sendall(location)

        with serving(sends_on, own_address()) as port, pytest.raises(UnreadableContracts) as told:
            others_of([f"http://{own_address()}:{port}/contracts"], seconds=5)

    assert "sends us to 127.0.0.1, which is 127.0.0.1: an address of this machine" in str(told.value)
    assert [one for one in heard if one] == []


@pytest.mark.parametrize("where", DRIPS)
def test_the_operator_gives_up_a_pod_that_drips_by_the_same_watch(where):
    began = time.monotonic()
    with (
        serving(dripping(*DRIPS[where])) as port,
        pytest.raises((OSError, HTTPException)),
        asked(f"http://127.0.0.1:{port}/contracts", seconds=0.3) as (_, chunks),
    ):
        list(chunks)

    assert time.monotonic() - began < 8
