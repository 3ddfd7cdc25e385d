"""HTTP over TLS between services, on a real process of a service: who may call, renewed files, slow handshakes."""

import contextlib
import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from slipway_chassis.errors import UpstreamUnavailable
from slipway_chassis.http.client import HttpClient
from slipway_chassis.testing.plugin import eventually
from support.cluster.authority import Authority
from support.echo import running

pytestmark = pytest.mark.integration
FILES = {"TLS_CERTIFICATE_FILE": "tls.crt", "TLS_KEY_FILE": "tls.key", "TLS_CA_FILE": "ca.crt"}


def words(folder):
    return {word: str(folder / name) for word, name in FILES.items()}


@pytest.fixture(scope="module", name="authority")
def _authority():
    return Authority()


@pytest.fixture(scope="module", name="echo")
def _echo(tmp_path_factory, authority):
    """The port of a service with two threads that asks callers for a certificate of orders, and its folder of files."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "tls").mkdir()
    files = authority.write(folder / "tls", "echo", "localhost")
    with running(folder, TLS_CALLERS="orders", **words(files)) as port:
        yield port, files


@pytest.fixture(name="me")
def _me(tmp_path, authority, monkeypatch):
    """The folder of this process' own files, a certificate of orders."""
    for word, value in words(authority.write(tmp_path, "orders")).items():
        monkeypatch.setenv(word, value)
    return tmp_path


def client_of(echo, **options):
    return HttpClient("echo", f"https://localhost:{echo[0]}", timeout=10, **options)


def test_a_caller_with_a_certificate_is_answered(echo, me):
    client = client_of(echo)
    assert [client.get("/v1/scheme").json() for _ in range(3)] == [{"name": "https"}] * 3
    assert client.post("/v1/echo", {"name": "a" * 100_000}).json() == {"name": "a" * 100_000}


def test_a_caller_of_another_name_is_refused_and_told_why(echo, me, authority):
    authority.write(me, "mallory")
    answer = client_of(echo).get("/v1/scheme")
    assert answer.status == 403
    assert answer.json()["detail"].startswith("The certificate of the caller says mallory, which is not among")


def test_who_has_no_certificate_of_the_authorities_is_not_answered(echo, me, authority, monkeypatch):
    with pytest.raises(UpstreamUnavailable):
        HttpClient("echo", f"http://localhost:{echo[0]}", timeout=5).get("/v1/scheme")
    monkeypatch.delenv("TLS_CERTIFICATE_FILE")
    monkeypatch.delenv("TLS_KEY_FILE")
    with pytest.raises(UpstreamUnavailable):
        client_of(echo).get("/v1/scheme")
    stranger = Authority().write(me, "orders")
    for word, value in (words(stranger) | {"TLS_CA_FILE": str(echo[1] / "ca.crt")}).items():
        monkeypatch.setenv(word, value)
    with pytest.raises(UpstreamUnavailable):
        client_of(echo).get("/v1/scheme")


def test_a_service_with_another_name_or_authority_gets_no_request(echo, me, monkeypatch):
    with pytest.raises(UpstreamUnavailable, match="SSLError"):
        HttpClient("echo", f"https://127.0.0.1:{echo[0]}", timeout=5).get("/v1/scheme")
    (me / "others.crt").write_text((Authority().write(me, "orders") / "ca.crt").read_text())
    monkeypatch.setenv("TLS_CA_FILE", str(me / "others.crt"))
    with pytest.raises(UpstreamUnavailable, match="SSLError"):
        client_of(echo).get("/v1/scheme")


def context_of(me):
    """What a caller shows and believes, without a client of the chassis."""
    context = ssl.create_default_context(cafile=str(me / "ca.crt"))
    context.load_cert_chain(me / "tls.crt", me / "tls.key")
    return context


@contextmanager
def shaken(echo, me, *, seconds):
    """A connection after its handshake, on which nothing was said yet."""
    with (
        socket.create_connection(("127.0.0.1", echo[0]), timeout=seconds) as plain,
        context_of(me).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def served(echo, me):
    """The serial number of the certificate that a new connection is shown."""
    with shaken(echo, me, seconds=10) as connection:
        return connection.getpeercert()["serialNumber"]


def test_certificates_are_renewed_on_both_sides_and_no_request_fails(echo, me, authority):
    client, stop, answers, faults = client_of(echo), threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                answers.append(client.get("/v1/scheme").status)
                answers.append(client_of(echo).get("/v1/scheme").status)
            except UpstreamUnavailable as error:
                faults.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            before, done = served(echo, me), len(answers)
            authority.write(echo[1], "echo", "localhost")
            authority.write(me, "orders")
            assert eventually(lambda before=before: served(echo, me) != before, within=10)
            assert eventually(lambda done=done: len(answers) > done + 10, within=30)
    finally:
        stop.set()
        asking.join()
    assert faults == []
    assert set(answers) == {200}


def test_handshakes_that_never_end_take_no_thread(echo, me):
    """Half a hello, a byte now and then; and a whole handshake after which nothing is said."""
    context = context_of(me)
    client = client_of(echo)
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", echo[0]), timeout=10)) for _ in range(8)]
        for one in slow:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", echo[0]), timeout=10)) for _ in range(8)]
        for one in silent:
            stack.enter_context(context.wrap_socket(one, server_hostname="localhost"))
        for _ in range(10):
            for one in slow:
                one.sendall(b"\x00")
            assert client.get("/v1/scheme", headers={}).status == 200


def test_who_says_goodbye_after_the_handshake_is_let_go(echo, me):
    """At its end a connection can be read at once, for ever: the worker would ask again and again."""
    with shaken(echo, me, seconds=20) as connection:
        time.sleep(0.5)  # the handshake is over on the other side as well
        socket.socket.shutdown(connection, socket.SHUT_WR)
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # however it is said; silence is a TimeoutError
            assert not connection.recv(1)


def test_a_handshake_of_which_no_more_comes_is_given_up(echo):
    with socket.create_connection(("127.0.0.1", echo[0]), timeout=30) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        with contextlib.suppress(ConnectionError):  # silence is a TimeoutError
            assert not half.recv(1)


def test_who_speaks_no_tls_and_stays_holds_nobody_up(echo, me):
    """The loop that accepts all would wait two seconds for each of them to say goodbye."""
    client = client_of(echo)
    with ExitStack() as stack:
        for _ in range(40):
            rude = stack.enter_context(socket.create_connection(("127.0.0.1", echo[0]), timeout=10))
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert [client.get("/v1/scheme").status for _ in range(3)] == [200] * 3


def test_a_second_request_that_came_with_the_first_is_answered(echo, me):
    """Both in one record: TLS has read them, and nothing more comes that would wake the poller."""
    second = b"GET /v1/scheme HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n"
    first = b"GET /v1/scheme HTTP/1.1\r\nHost: echo\r\nX-Long: "
    first += b"x" * (8192 - len(first) - 4) + b"\r\n\r\n"  # as much as is read at a time
    with shaken(echo, me, seconds=20) as connection:
        connection.sendall(first + second)
        answers = b""
        while piece := connection.recv(65_536):
            answers += piece
    assert answers.count(b"HTTP/1.1 200") == 2


def test_a_handshake_that_drips_in_is_given_up(echo):
    with socket.create_connection(("127.0.0.1", echo[0]), timeout=10) as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")

        def is_given_up():
            try:
                slow.sendall(b"\x00")
            except OSError:
                return True
            return False

        assert eventually(is_given_up, within=30)


def test_a_body_that_drips_in_is_given_up(echo, me):
    with shaken(echo, me, seconds=30) as slow:
        slow.sendall(b"POST /v1/echo HTTP/1.1\r\nHost: echo\r\nContent-Length: 100000\r\n\r\n{")
        until = time.monotonic() + 30

        def drip():
            try:
                while time.monotonic() < until:
                    slow.sendall(b" ")
                    time.sleep(0.2)
            except OSError:
                return True
            return False

        assert drip()
