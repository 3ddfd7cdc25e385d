"""What browsers need: CORS, security headers, and HTTPS with a certificate that is renewed."""

import socket
import ssl

import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_gateway.development_ca import ensure
from support.gateway_edge import ORIGIN, running

pytestmark = pytest.mark.integration


def test_browsers_of_a_known_origin_may_call(edge):
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = edge.ask("OPTIONS", "/v1/orders", headers=asked)
    token = edge.issuer.token(scopes=["orders:read"])

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    answer = edge.ask("GET", "/v1/orders/c", token=token, headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_browsers_of_another_origin_may_not(edge):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = edge.ask("OPTIONS", "/v1/orders", headers=asked)

    assert preflight.status == 404
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in edge.ask("GET", "/items", headers=asked).headers


@pytest.mark.parametrize(("path", "status"), [("/items", 200), ("/nothing", 404), ("/v1/orders", 401)])
def test_every_answer_has_the_security_headers(edge, path, status):
    headers = edge.ask("GET", path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "strict-transport-security" not in headers
    assert headers["server"] == "gateway"
    assert not [name for name in headers if name.startswith("x-envoy")]
    assert edge.ask("GET", path).status == status


def test_what_a_service_says_of_its_pages_stays(edge):
    headers = edge.ask("GET", "/items/page").headers

    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["referrer-policy"] == "no-referrer"


def test_https_with_the_development_ca(edge):
    answer = edge.ask("GET", "/items", tls=True)

    assert answer.status == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    context = ssl.create_default_context(cafile=edge.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}


def test_plain_http_is_redirected_and_serves_nothing(tmp_path, services):
    certificates = ensure(tmp_path / "certificates")
    tls = {"enabled": True, "certificateFile": str(certificates.certificate), "keyFile": str(certificates.key)}
    challenge = {"prefix": "/.well-known/acme-challenge", "upstream": "orders", "public": True}
    with running(tmp_path, services, certificates, tls=tls | {"publicPort": 8443}) as edge:
        for method, path in [
            ("GET", "/items?a=b"),
            ("POST", "/oauth/token"),
            ("GET", "/v1/orders"),
            ("GET", "/nowhere"),
        ]:
            answer = edge.ask(method, path, body=b"password=x" if method == "POST" else None)
            assert (answer.status, answer.headers.get("location")) == (308, f"https://127.0.0.1:8443{path}")
        assert edge.ask("GET", "/items", tls=True).status == 200
        assert "strict-transport-security" in edge.ask("GET", "/items", tls=True).headers
    folder = tmp_path / "acme"
    folder.mkdir()
    routes = [challenge, {"path": "/", "upstream": "orders", "public": True}]
    with running(folder, services, certificates, tls=tls, routes=routes, transcode=None) as edge:
        assert edge.ask("GET", "/.well-known/acme-challenge/abc").status == 200
        assert edge.ask("GET", "/").status == 308


def serial_number(edge):
    context = ssl.create_default_context(cafile=edge.ca)
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return secure.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_taken_without_a_restart(edge):
    before = serial_number(edge)

    ensure(edge.ca.parent, names=["localhost", "shop.test"])

    eventually(lambda: serial_number(edge) != before)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(edge):
    context = ssl.create_default_context(cafile=edge.ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # this side would refuse it as well
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", edge.listen.tls_port)) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)alert"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
