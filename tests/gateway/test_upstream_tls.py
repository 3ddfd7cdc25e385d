"""Upstreams that speak TLS, with a real Envoy: whose certificates it takes, what it shows itself, what is renewed."""

import http.server
import json
import shutil
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from slipway_chassis.testing.plugin import eventually
from slipway_gateway.clusters import clusters
from slipway_gateway.development_ca import Certificates, ensure
from slipway_gateway.envoy import envoy_config
from slipway_gateway.errors import GatewayConfigurationError
from slipway_gateway.settings import GatewaySettings, Upstream
from slipway_gateway.settings_file import checked
from slipway_gateway.upstream_tls import transport_socket
from support.gateway_edge import Server, running

integration = pytest.mark.integration
NAME = "orders.internal"


class Answering(http.server.BaseHTTPRequestHandler):
    """The issuer's keys, and to all else who was connected."""

    protocol_version = "HTTP/1.1"
    keys = b""

    def do_GET(self):
        shown = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        body = self.keys if self.path.endswith("jwks.json") else json.dumps({"client": bool(shown)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def serving(certificates=None, *, clients=None, keys=b""):
    """A port. With ``certificates`` it speaks TLS, with ``clients`` to who has a certificate of that CA alone."""
    server = Server(("127.0.0.1", 0), type("Here", (Answering,), {"keys": keys}))
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        if clients:
            context.load_verify_locations(clients.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def to(port, **tls):
    return {"address": "127.0.0.1", "port": port, "tls": {"enabled": True, "serverName": NAME, **tls}}


def client_certificate(folder):
    """Signed by itself, and so its own authority."""
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    files = Certificates(folder / "client.crt", folder / "client.crt", folder / "client.key")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return files


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("upstreams")


@pytest.fixture(scope="module", name="edge")
def _edge(folder, services):
    """Upstreams of all kinds; each has a route of its name. The issuer's keys come by TLS as well."""
    issuer, upstream, _ = services
    ours, theirs = ensure(folder / "ours", names=[NAME]), ensure(folder / "theirs", names=[NAME])
    gateway = client_certificate(folder)
    ca = {"caFile": str(ours.ca)}
    own = {"certificateFile": str(gateway.certificate), "keyFile": str(gateway.key)}
    with (
        serving(ours) as known,
        serving(theirs) as stranger,
        serving(ours, clients=gateway) as mutual,
        serving() as plain,
        serving(ours, keys=json.dumps(issuer.key_set()).encode()) as keys,
    ):
        upstreams = {
            "known": to(known, **ca),
            "renamed": to(known, **ca, serverName="users.internal"),
            "stranger": to(stranger, **ca),
            "unlisted": to(known),  # by the authorities of the system, which know nothing of ours
            "plain": to(plain, **ca),
            "mutual": to(mutual, **ca, **own),
            "nameless": to(mutual, **ca),
            "issuer": to(keys, **ca),
            "pods": {"address": "127.0.0.1", "port": upstream.server.server_port},
        }
        routes = [{"prefix": f"/{name}", "upstream": name, "public": True} for name in upstreams]
        routes.append({"prefix": "/guarded", "upstream": "known"})
        settings = {"upstreams": upstreams, "transcode": None, "routes": routes}
        made = folder / "edge"
        made.mkdir()
        with running(made, services, ensure(folder / "certificates"), **settings) as edge:
            yield edge


@integration
def test_a_certificate_of_a_known_authority_and_name_is_taken(edge):
    answer = edge.ask("GET", "/known")

    assert (answer.status, json.loads(answer.body)) == (200, {"client": False})


@integration
@pytest.mark.parametrize("upstream", ["renamed", "stranger", "unlisted", "plain"])
def test_nothing_is_sent_to_who_is_not_known(edge, upstream):
    assert edge.ask("GET", f"/{upstream}").status == 503


@integration
def test_the_gateway_shows_its_own_certificate_where_one_is_asked_for(edge):
    assert json.loads(edge.ask("GET", "/mutual").body) == {"client": True}
    assert edge.ask("GET", "/nameless").status == 503


@integration
def test_the_issuers_keys_come_by_tls(edge):
    assert edge.ask("GET", "/guarded").status == 401
    assert edge.ask("GET", "/guarded", token=edge.issuer.token()).status == 200


@integration
def test_a_renewed_authority_is_taken_without_a_restart(folder, services):
    """As cert-manager renews a Secret: other files under the same names, moved into their place."""
    _, upstream, _ = services
    trusted = folder / "trusted"
    trusted.mkdir()
    before, after = ensure(folder / "before", names=[NAME]), ensure(folder / "after", names=[NAME])
    shutil.copy(before.ca, trusted / "ca.crt")
    with serving(after) as port:
        settings = {
            "auth": None,
            "transcode": None,
            "upstreams": {
                "renewed": to(port, caFile=str(trusted / "ca.crt")),
                "pods": {"address": "127.0.0.1", "port": upstream.server.server_port},
            },
            "routes": [{"prefix": "/renewed", "upstream": "renewed", "public": True}],
        }
        made = folder / "renewing"
        made.mkdir()
        with running(made, services, ensure(folder / "certificates"), **settings) as edge:
            assert edge.ask("GET", "/renewed").status == 503

            shutil.copy(after.ca, folder / "ca.crt")
            (folder / "ca.crt").replace(trusted / "ca.crt")

            eventually(lambda: edge.ask("GET", "/renewed").status == 200, within=30)


NO_HOSTS = ["https://orders", "orders:8443", " orders ", " ", "*.shop", "orders/x", "a..b", ".", "-a", "x" * 64, "[::1"]


@pytest.mark.parametrize("host", ["orders", "orders.shop.svc.", "my_service", "10.0.0.1", "[fd00::1]", "fd00::1",
                                  "{{ .Release.Name }}-orders", "xn--bcher-kva.example"])  # fmt: skip
def test_a_host_is_a_name_or_an_address(host):
    assert Upstream.model_validate({"address": host}).address == host


def test_tls_has_its_port_unless_one_is_named():
    assert Upstream.model_validate({"address": "a", "tls": {"enabled": True}}).port == 443
    assert Upstream.model_validate({"address": "a", "port": 80, "tls": {"enabled": True}}).port == 80
    assert Upstream.model_validate({"address": "a", "tls": {"enabled": False}}).port == 80


def test_the_name_in_the_handshake_has_no_dot_at_its_end():
    upstream = Upstream.model_validate({"address": "orders.shop.svc.", "tls": {"enabled": True}})
    assert transport_socket("orders", upstream, None)["typed_config"]["sni"] == "orders.shop.svc"


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ({"address": "10.0.0.1", "tls": {"enabled": True}}, "tls.serverName is missing"),
        ({"address": "[fd00::1]", "tls": {"enabled": True}}, "tls.serverName is missing"),
        ({"address": "a", "tls": {"enabled": True, "keyFile": "/k"}}, "certificateFile and keyFile belong together"),
        ({"address": "a", "tls": {"enabled": True, "verify": False}}, "Extra inputs are not permitted"),
        ({"address": "a", "tls": {"enabled": True, "caFile": ""}}, "at least 1 character"),
        *(({"address": host}, "is no host: a name or an IP address") for host in NO_HOSTS),
        *(({"address": "a", "tls": {"enabled": True, "serverName": host}}, "is no host") for host in NO_HOSTS),
    ],
)
def test_tls_that_checks_nothing_can_not_be_set(upstream, said):
    with pytest.raises(ValidationError, match=said):
        Upstream.model_validate(upstream)


@pytest.mark.parametrize(
    ("address", "port", "tls", "authority"),
    [
        ("login", 443, True, "login"),
        ("login", 8443, True, "login:8443"),
        ("login", 80, False, "login"),
        ("login", 443, False, "login:443"),
        ("fd00::1", 8080, False, "[fd00::1]:8080"),
        ("[fd00::1]", 80, False, "[fd00::1]"),
    ],
)
def test_an_address_is_written_as_a_url_has_it(address, port, tls, authority):
    secure = {"enabled": tls, "serverName": "login" if tls else ""}
    assert Upstream.model_validate({"address": address, "port": port, "tls": secure}).authority == authority


def test_grpc_is_spoken_by_http_2():
    upstream = {"address": "stock", "port": 443, "protocol": "grpc", "tls": {"enabled": True}}
    settings = GatewaySettings.model_validate({"upstreams": {"stock": upstream}})
    [stock, _] = clusters(settings)
    context = stock["transport_socket"]["typed_config"]
    assert (context["sni"], context["common_tls_context"]["alpn_protocols"]) == ("stock", ["h2"])


def test_a_server_name_that_was_not_rendered_is_told():
    upstream = {"address": "stock", "tls": {"enabled": True, "serverName": "{{ .Release.Name }}"}}
    with pytest.raises(GatewayConfigurationError, match=r"gateway\.upstreams\.stock\.tls\.serverName is a template"):
        envoy_config(checked({"upstreams": {"stock": upstream}}))
