"""Contracts in a registry of artifacts: what is pushed is what arrives, and what a registry shows is not believed."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from slipway_contracts.bundle import MAX_FILE_BYTES, Contracts
from slipway_contracts.cli.main import cli
from slipway_contracts.config import RegistryLogin, registry_login
from slipway_contracts.errors import RegistryError, UnreadableContracts
from slipway_contracts.oci_artifact import MAX_MANIFEST_BYTES, TITLE, manifest_of, pulled, pushed
from slipway_contracts.oci_reference import Reference, is_loopback
from slipway_contracts.registry import others_of
from support.pipeline.registry import PASSWORD, USER, Registry
from support.repository import ROOT

ORDERS = ROOT / "services" / "orders" / "contracts"
FILES = {str(path.relative_to(ORDERS)): path.read_bytes() for path in ORDERS.rglob("*") if path.is_file()}
NOBODY = RegistryLogin()
ME = RegistryLogin(user=USER, password=PASSWORD)


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    "place",
    ["oci://", "oci://h", "oci://h/", "oci://h/UPPER", "oci://h/a:", "oci://h/a@sha256:1", "oci://h/a/../b:1",
     "oci://me:secret@h/a:1", "oci://h/a:tag?x=1", "oci://h/a:" + "t" * 129, "oci://h/" + "a" * 256, "oci://h:p/a"],
)  # fmt: skip
def test_an_address_that_is_none_is_told(place):
    with pytest.raises(UnreadableContracts, match="is no address of an artifact: write oci://host/name:tag"):
        Reference.of(place)


@pytest.mark.parametrize(
    ("place", "base", "version"),
    [
        ("oci://registry.example/shop/orders", "https://registry.example/v2/shop/orders", "latest"),
        ("oci://127.0.0.1:5000/a:v1.2", "http://127.0.0.1:5000/v2/a", "v1.2"),
        ("oci://[::1]:5000/a:v1", "http://[::1]:5000/v2/a", "v1"),
        ("oci://127.0.0.1.example/a:v1", "https://127.0.0.1.example/v2/a", "v1"),
        (f"oci://h:443/a@sha256:{'a' * 64}", "https://h:443/v2/a", f"sha256:{'a' * 64}"),
    ],
)
def test_tls_is_asked_for_except_on_this_machine(place, base, version):
    reference = Reference.of(place)

    assert (reference.base, reference.version) == (base, version)
    assert Reference.of(str(reference)) == reference
    assert is_loopback(reference.host) is base.startswith("http:")


def test_who_we_are_comes_from_the_environment_and_is_not_printed():
    login = registry_login({"REGISTRY_USER": "me", "REGISTRY_PASSWORD": "secret", "REGISTRY_TOKEN": "hidden"})

    assert (login.user, login.password, login.token, bool(login)) == ("me", "secret", "hidden", True)
    assert "secret" not in repr(login)
    assert "hidden" not in repr(login)
    assert not registry_login({})


def test_one_login_is_not_told_to_two_registries():
    with pytest.raises(RegistryError, match=r"a\.example and b\.example are named, and one login: set REGISTRY_HOST"):
        others_of(["oci://a.example/x:1", "oci://b.example/x:1"], ME)


# --- a registry of strangers
class Stranger:
    """``answers``: by path, with status, headers and body. What it was asked is kept, with who asked."""

    def __init__(self, answers):
        self.answers = dict(answers)
        self.asked = []


@contextmanager
def stranger(answers=()):
    shown = Stranger(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            shown.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, body = shown.answers.get(path, (404, {}, b""))
            if callable(status):
                status, headers, body = status(self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    shown.host = f"127.0.0.1:{server.server_port}"
    try:
        yield shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def artifact(files=None, manifest=None):
    """What a registry answers that has these contracts."""
    files = FILES if files is None else files
    answers = {f"/v2/orders/blobs/{digest(one)}": (200, {}, one) for one in files.values()}
    return {**answers, "/v2/orders/manifests/v1": (200, {}, manifest_of(files) if manifest is None else manifest)}


def test_what_is_there_is_read_and_is_the_same():
    with stranger(artifact()) as there:
        found = pulled(f"oci://{there.host}/orders:v1", NOBODY)

    assert found == Contracts.read(FILES.__getitem__)
    assert {who for _, who in there.asked} == {None}


def layer(title, content, **other):
    return {"digest": digest(content), "size": len(content), "annotations": {TITLE: title}, **other}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"", "holds no contracts"),
        (b"[" * 50_000, "holds no contracts"),
        (b"{}", "holds no contracts"),
        (json.dumps({"manifests": []}).encode(), "holds no contracts"),
        (json.dumps({"layers": [{"digest": digest(b"")}]}).encode(), "holds no contracts"),
        (json.dumps({"layers": [layer("a", b""), layer("a", b"")]}).encode(), "holds no contracts"),
        (json.dumps({"layers": [layer("a", b"", digest="sha256:../../x")]}).encode(), "holds no contracts"),
        (json.dumps({"layers": [layer(f"f{n}", b"") for n in range(102)]}).encode(), "holds no contracts"),
        (json.dumps({"layers": [layer("other.json", b"")]}).encode(), "has no index.json"),
        (json.dumps({"layers": [layer("index.json", b"", size=MAX_FILE_BYTES + 1)]}).encode(), "is too large"),
        (json.dumps({"layers": [layer("index.json", b"", size=-1)]}).encode(), "is too large"),
        (b" " * (MAX_MANIFEST_BYTES + 2), "a manifest of more than"),
    ],
)
def test_a_manifest_is_not_believed(manifest, said):
    with stranger(artifact(manifest=manifest)) as there, pytest.raises(UnreadableContracts, match=said):
        pulled(f"oci://{there.host}/orders:v1", NOBODY)


def test_neither_is_what_lies_under_a_digest():
    answers = artifact()
    blob = f"/v2/orders/blobs/{digest(FILES['index.json'])}"
    other = b"x" * len(FILES["index.json"])
    for body in (other, FILES["index.json"] + b"more", b""):
        answers[blob] = 200, {}, body
        with stranger(answers) as there, pytest.raises(UnreadableContracts, match="is not what the manifest says"):
            pulled(f"oci://{there.host}/orders:v1", NOBODY)
    wrong = f"sha256:{'a' * 64}"
    answers[f"/v2/orders/manifests/{wrong}"] = 200, {}, manifest_of(FILES)
    with stranger(answers) as there, pytest.raises(UnreadableContracts, match="is not what the registry gave"):
        pulled(f"oci://{there.host}/orders@{wrong}", NOBODY)


def test_one_that_is_not_there_and_one_that_is_ill_are_told_apart():
    with stranger({"/v2/ill/manifests/v1": (500, {}, b"")}) as there:
        with pytest.raises(UnreadableContracts, match=f"there is no oci://{there.host}/orders:v2"):
            pulled(f"oci://{there.host}/orders:v2", NOBODY)
        with pytest.raises(UnreadableContracts, match="the answer was 500"):
            pulled(f"oci://{there.host}/ill:v1", NOBODY)
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1 does not answer GET of /v2/a/manifests/v1: .*refused"):
        pulled("oci://127.0.0.1:1/a:v1", NOBODY)


def asking(challenge, wanted, answer):
    """Answers who says ``wanted``, and challenges others."""

    def told(headers):
        return answer if headers.get("Authorization") == wanted else (401, {"WWW-Authenticate": challenge}, b"")

    return told, {}, b""


def test_a_service_of_tokens_is_asked_with_the_password_and_the_registry_gets_the_token():
    manifest = "/v2/orders/manifests/v1"
    with stranger(artifact()) as there:
        for_orders = 'service="shop",scope="repository:orders:pull"'
        challenge = f'Bearer realm="http://{there.host}/token",{for_orders}'
        there.answers[manifest] = asking(challenge, "Bearer abc", there.answers[manifest])
        there.answers["/token"] = (200, {}, b'{"token": "abc"}')

        pulled(f"oci://{there.host}/orders:v1", ME)

        [(asked, who)] = [one for one in there.asked if one[0].startswith("/token")]
        assert asked == "/token?service=shop&scope=repository%3Aorders%3Apull"
        assert who.startswith("Basic ")
        assert {who for path, who in there.asked if "/blobs/" in path} == {"Bearer abc"}
        there.answers["/token"] = (200, {}, b'{"token": "a\\r\\nX: b"}')
        with pytest.raises(RegistryError, match="gave no token"):
            pulled(f"oci://{there.host}/orders:v1", ME)


def test_who_we_are_is_told_to_nobody_else_and_never_in_the_clear():
    manifest, blob = "/v2/orders/manifests/v1", f"/v2/orders/blobs/{digest(FILES['index.json'])}"
    basic = "Basic " + "cGlwZWxpbmU6b25seS1vZi10aGlzLXRlc3Q="
    with stranger(artifact()) as storage, stranger(artifact()) as there:
        there.answers[manifest] = asking("Basic realm=x", basic, there.answers[manifest])
        there.answers[blob] = (307, {"Location": f"http://{storage.host}{blob}"}, b"")
        pulled(f"oci://{there.host}/orders:v1", ME)
        assert storage.asked == [(blob, None)]

        there.answers[blob] = (307, {"Location": "http://storage.example/x"}, b"")
        with pytest.raises(RegistryError, match=r"sends us to http://storage\.example/x, which is not asked"):
            pulled(f"oci://{there.host}/orders:v1", ME)
        there.answers[blob] = (307, {"Location": blob}, b"")
        with pytest.raises(RegistryError, match="sends us on more than 3 times"):
            pulled(f"oci://{there.host}/orders:v1", ME)
        there.answers[manifest] = asking('Bearer realm="http://tokens.example/x"', "", (200, {}, b""))
        with pytest.raises(RegistryError, match=r"has its tokens from http://tokens\.example/x, which is not asked"):
            pulled(f"oci://{there.host}/orders:v1", ME)
        there.answers[manifest] = asking("Basic realm=x", basic, (200, {}, b""))
        there.asked.clear()
        with pytest.raises(RegistryError, match="asks for a login: set REGISTRY_USER"):
            pulled(f"oci://{there.host}/orders:v1", RegistryLogin("other.example", USER, PASSWORD))
        assert {who for _, who in there.asked} == {None}


def test_an_answer_that_does_not_end_is_given_up():
    with stranger(artifact()) as there, pytest.raises(RegistryError, match="not answered everything within 0 s"):
        pulled(f"oci://{there.host}/orders:v1", NOBODY, seconds=0)


def test_what_can_not_be_read_or_has_a_digest_already_is_not_pushed(tmp_path):
    with pytest.raises(UnreadableContracts, match=r"index\.json can't be read"):
        pushed(tmp_path, "oci://127.0.0.1:1/a:v1", NOBODY)
    with pytest.raises(UnreadableContracts, match="names a digest, which comes of what is pushed"):
        pushed(ORDERS, f"oci://127.0.0.1:1/a@sha256:{'a' * 64}", NOBODY)


@pytest.mark.integration
def test_what_is_pushed_to_a_registry_is_what_another_repository_checks_against(tmp_path, monkeypatch):
    (tmp_path / "registry").mkdir()
    with Registry(tmp_path / "registry") as host:
        users, inventory = (f"oci://{host}/shop/{name}-contracts:main" for name in ("users", "inventory"))
        push = ["push", users, "--from", str(ROOT / "services/users/contracts")]

        stopped = CliRunner().invoke(cli, push)
        for name, value in {"USER": USER, "PASSWORD": PASSWORD}.items():
            monkeypatch.setenv(f"REGISTRY_{name}", value)
        first, second = CliRunner().invoke(cli, push), CliRunner().invoke(cli, push)
        CliRunner().invoke(cli, ["push", inventory, "--from", str(ROOT / "services/inventory/contracts")])
        by_digest = first.output.strip()
        root = tmp_path / "orders"
        root.mkdir()
        (root / "contracts").symlink_to(ORDERS)
        check = ["check", "--root", str(root), "--against", str(root), "--registry", by_digest, "--registry", inventory]
        checked = CliRunner().invoke(cli, check)

    assert stopped.exit_code == 1
    assert f"error: {host} asks for a login: set REGISTRY_USER and REGISTRY_PASSWORD" in stopped.output
    assert first.exit_code == 0, first.output
    assert second.output == first.output, "equal contracts have an equal digest"
    assert by_digest.startswith(f"oci://{host}/shop/users-contracts@sha256:")
    assert checked.output == f"1 services compared with {root}: nothing breaks\n", checked.output
