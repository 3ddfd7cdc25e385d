"""Who a process is by its certificate: settings, renewed files, and who may call."""

import ipaddress
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel

from slipway_chassis.caller_names import names_of, refusal
from slipway_chassis.certificates import Renewed, TlsSettings
from slipway_chassis.config import GrpcSettings, HttpSettings, load
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.http.server import WebSettings
from slipway_chassis.outgoing import pool_for
from support.cluster.authority import Authority


@pytest.fixture(name="files")
def _files(tmp_path):
    words = {"TLS_CERTIFICATE_FILE": "tls.crt", "TLS_KEY_FILE": "tls.key", "TLS_CA_FILE": "ca.crt"}
    for name in words.values():
        (tmp_path / name).write_text("no certificate")
    return {word: str(tmp_path / name) for word, name in words.items()}


def test_without_words_there_is_no_tls():
    settings = load(TlsSettings, {})
    assert (settings.files, settings.callers) == ([], frozenset())


def test_names_of_callers_stand_with_commas_between(files):
    assert load(TlsSettings, files | {"TLS_CALLERS": " orders,gateway , spiffe://shop/users"}).callers == {
        "orders", "gateway", "spiffe://shop/users"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"TLS_KEY_FILE": ""}, "TLS_CERTIFICATE_FILE and TLS_KEY_FILE belong together: set both, or none"),
        ({"TLS_CERTIFICATE_FILE": ""}, "TLS_CERTIFICATE_FILE and TLS_KEY_FILE belong together: set both, or none"),
        ({"TLS_CA_FILE": "/nowhere/ca.crt"}, "TLS_CA_FILE is wrong: there is no file /nowhere/ca.crt"),
        ({"TLS_CA_FILE": "", "TLS_CALLERS": "orders"}, "TLS_CALLERS is set, and nobody is asked for a certificate"),
        ({"TLS_CALLERS": "orders,,users"}, "TLS_CALLERS is wrong"),
    ],
)
def test_words_that_would_leave_it_open_are_refused(files, change, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        load(TlsSettings, files | change)


@pytest.mark.parametrize("word", ["HTTP_TLS_CERT", "TLS_CERT_FILE", "TLS_CLIENT_CA"])
def test_a_word_that_somebody_would_believe_to_be_in_force_is_refused(files, word):
    with pytest.raises(ConfigurationError, match=f"{word} is set, and nothing reads it"):
        load(WebSettings, files | {word: "/tls.crt"})


def test_a_service_may_have_such_a_word_of_its_own(files):
    class Own(BaseModel):
        tls_cert_of_the_bank: str

    environ = files | {"TLS_CERT_OF_THE_BANK": "/bank.crt"}
    assert load(WebSettings, environ, beside=Own).tls_ca_file == files["TLS_CA_FILE"]
    assert load(TlsSettings, environ).tls_ca_file == files["TLS_CA_FILE"]  # as whoever calls others reads it


@pytest.mark.parametrize(("settings", "word"), [(HttpSettings, "HTTP_TLS_CERT"), (GrpcSettings, "GRPC_SSL_KEY")])
def test_other_words_for_it_name_the_right_ones(settings, word):
    with pytest.raises(ConfigurationError, match=f"{word} is set.*TLS is set by TLS_CERTIFICATE_FILE, TLS_KEY_FILE"):
        load(settings, {word: "/tls.crt"})


def test_files_without_a_certificate_are_said(files, monkeypatch):
    for word, value in files.items():
        monkeypatch.setenv(word, value)
    with pytest.raises(ConfigurationError, match=r"TLS_CERTIFICATE_FILE, TLS_KEY_FILE or TLS_CA_FILE can't be used"):
        pool_for("https://orders:8000")
    pool_for("http://orders:8000")  # nothing is read for it


class TestRenewed:
    def test_it_is_made_anew_when_a_file_is_another(self, tmp_path):
        file = tmp_path / "tls.crt"
        file.write_text("one")
        renewed = Renewed([file], file.read_text)
        first = renewed.current()
        assert renewed.current() is first

        (tmp_path / "new").write_text("two")
        (tmp_path / "new").replace(file)
        assert renewed.current() == "two"

    def test_what_can_t_be_used_yet_leaves_the_former_until_the_files_are_others_again(self, tmp_path, caplog):
        file = tmp_path / "number"
        file.write_text("1")
        renewed = Renewed([file], lambda: int(file.read_text()))

        file.write_text("half of it")
        assert [renewed.current(), renewed.current()] == [1, 1]
        assert len(caplog.messages) == 1  # once, not for each connection
        assert "the former ones stay" in caplog.text
        file.unlink()
        assert renewed.current() == 1
        file.write_text("2345")
        assert renewed.current() == 2345

    def test_what_could_not_be_read_for_a_moment_is_tried_again(self, tmp_path):
        """Too many open files, or rights that come a moment later: the files themselves stay as they are."""
        file, now, fails = tmp_path / "number", [0.0], [False]
        file.write_text("1")

        def make():
            if fails[0]:
                raise OSError("Too many open files")
            return int(file.read_text())

        renewed = Renewed([file], make, clock=lambda: now[0])
        fails[0] = True
        file.write_text("23")
        assert renewed.current() == 1
        fails[0] = False
        assert renewed.current() == 1  # not for each connection
        now[0] += 1
        assert renewed.current() == 23

    def test_threads_that_ask_together_get_one(self, tmp_path):
        file, made = tmp_path / "tls.crt", []
        file.write_text("one")

        def make():
            made.append(file.read_text())
            time.sleep(0.05)
            return object()

        renewed = Renewed([file], make)
        file.write_text("another")
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(lambda _: renewed.current(), range(8)))) == 1
        assert made == ["one", "another"]

    def test_files_that_are_wrong_from_the_beginning_are_an_error(self, tmp_path):
        with pytest.raises(OSError, match="No such file"):
            Renewed([tmp_path / "none"], (tmp_path / "none").read_text)


class TestCallers:
    def test_one_of_the_names_is_enough(self):
        assert refusal(["orders", "orders.shop.svc"], frozenset({"orders", "users"})) == ""

    def test_without_a_list_any_certificate_of_the_authorities_will_do(self):
        assert refusal([], frozenset()) == ""

    def test_others_are_told_what_they_are(self):
        said = refusal(["mallory", "orders.evil"], frozenset({"orders"}))
        assert said == "The certificate of the caller says mallory, orders.evil, which is not among TLS_CALLERS."
        assert "no name" in refusal([], frozenset({"orders"}))

    def test_names_of_dns_and_uris_count_and_nothing_else_does(self):
        names = [
            x509.DNSName("users"),
            x509.UniformResourceIdentifier("spiffe://shop/users"),
            x509.RFC822Name("orders"),
            x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
            x509.DNSName("gateway\0.evil"),
        ]
        shown = Authority().named("orders", names).public_bytes(serialization.Encoding.DER)
        assert names_of(shown) == ("users", "spiffe://shop/users", "gateway\0.evil")
        assert refusal(names_of(shown), frozenset({"orders", "gateway"}))
        assert names_of(Authority().certificate.public_bytes(serialization.Encoding.DER)) == ()
        assert names_of(b"") == names_of(b"no certificate") == ()
