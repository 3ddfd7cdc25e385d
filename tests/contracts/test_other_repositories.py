"""A service in a repository of its own, and the contracts of services in other ones."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading

import pytest
from click.testing import CliRunner

from slipway_chassis.cli.contracts import contracts as command
from slipway_chassis.telemetry.admin import serve_admin
from slipway_chassis.telemetry.health import Health
from slipway_contracts.bundle import Contracts, pretty
from slipway_contracts.errors import UnreadableContracts
from slipway_contracts.registry import others_of
from support.repository import ROOT

ORDERS = ROOT / "services" / "orders"


def slipway(*arguments):
    return CliRunner().invoke(command, [str(each) for each in arguments])


def git(folder, *arguments):
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True
    )


def committed(folder):
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Begin")


@pytest.fixture(name="alone", params=["", "deep/down"])
def _alone(request, tmp_path):
    """orders at the root of its repository, or of a folder in it."""
    root = tmp_path / "repository" / request.param
    shutil.copytree(ORDERS / "contracts", root / "contracts")
    shutil.copy(ORDERS / "pyproject.toml", root)
    committed(tmp_path / "repository")
    return root


def without_a_path(folder):
    """The contracts again, without the first path of the API."""
    document = json.loads((folder / "openapi.v1.json").read_text())
    del document["paths"][next(iter(document["paths"]))]
    written(folder, "openapi.v1.json", document)


def written(folder, path, document):
    names = json.loads((folder / "index.json").read_text())
    files = {name: (folder / name).read_bytes() for name in names["files"]}
    contracts = Contracts(names["service"], files | {path: pretty(document)})
    for name, content in contracts.files.items():
        (folder / name).write_bytes(content)
    (folder / "index.json").write_bytes(contracts.index())


REGISTRY = ("--registry", ROOT / "services" / "users", "--registry", ROOT / "services" / "inventory")


def test_a_service_at_the_root_is_compared(alone):
    done = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY)
    assert (done.exit_code, done.output) == (0, "1 services compared with HEAD: nothing breaks\n")

    without_a_path(alone / "contracts")
    report = alone / "report.json"
    done = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY, "--code-quality", report)
    assert done.exit_code == 1
    assert "1 services compared with HEAD: this breaks" in done.output
    assert {each["location"]["path"] for each in json.loads(report.read_text())} == {"contracts/index.json"}


def test_one_that_is_gone_is_told(alone):
    shutil.rmtree(alone / "contracts")

    done = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY)

    assert done.exit_code == 1
    assert "orders has no contracts any more" in done.output


@pytest.mark.parametrize("services", [".", "services"])
def test_services_in_folders_of_the_root_or_of_another_one(tmp_path, services):
    shutil.copytree(ORDERS / "contracts", tmp_path / services / "orders" / "contracts")
    committed(tmp_path)
    without_a_path(tmp_path / services / "orders" / "contracts")

    done = slipway("check", "--against", "HEAD", "--root", tmp_path, "--services", services, *REGISTRY)

    assert done.exit_code == 1
    assert "1 services compared" in done.output


def relying_on(folder, service, **more):
    """The contracts again, with a call of that service."""
    consumes = json.loads((folder / "consumes.json").read_text())
    consumes["calls"] = [{"service": service, "method": "GET", "path": "/v1/x", **more}]
    written(folder, "consumes.json", consumes)


def test_who_is_newly_relied_on_has_to_be_there_and_a_change_does_not_wait_for_the_others(alone):
    before = slipway("check", "--against", "HEAD", "--root", alone)
    relying_on(alone / "contracts", "stock")
    now = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY)
    relying_on(alone / "contracts", "stock", elsewhere=True)
    elsewhere = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY)

    assert before.exit_code == 0
    assert "no service inventory is known here" in before.output
    assert "It relied on it before as well." in before.output
    assert now.exit_code == 1
    assert "warning (undecided): orders calls GET /v1/x of stock, and no service stock is known here" in now.output
    assert "1 services compared with HEAD: a question is open" in now.output
    assert elsewhere.exit_code == 0, elsewhere.output


def test_a_consumer_of_another_repository_is_hurt(alone, tmp_path):
    consumer = tmp_path / "others" / "billing"
    consumer.mkdir(parents=True)
    document = json.loads((alone / "contracts" / "openapi.v1.json").read_text())
    path, operations = next(iter(document["paths"].items()))
    method = next(each for each in operations if each in ("get", "post"))
    calls = {"calls": [{"service": "orders", "method": method.upper(), "path": path}]}
    billing = Contracts("billing", {"consumes.json": pretty(calls)})
    (consumer / "consumes.json").write_bytes(billing.files["consumes.json"])
    (consumer / "index.json").write_bytes(billing.index())
    without_a_path(alone / "contracts")

    done = slipway("check", "--against", "HEAD", "--root", alone, *REGISTRY, "--registry", consumer.parent)

    assert done.exit_code == 1
    assert f"billing calls {method.upper()} {path}" in done.output
    assert "billing\n" not in done.output, "it is not compared"


def test_by_url_as_pods_show_them():
    port = serve_admin("127.0.0.1", 0, Health(), ORDERS / "contracts")

    found = others_of([f"http://127.0.0.1:{port}/contracts/", str(ROOT / "services" / "users")])

    assert set(found) == {"orders", "users"}
    assert found["orders"] == Contracts.read(lambda path: (ORDERS / "contracts" / path).read_bytes())


@pytest.fixture(name="shop")
def _shop(tmp_path):
    """A repository of two services, of which the first commit has one and is called v1."""
    root = tmp_path / "shop.git"
    shutil.copytree(ORDERS / "contracts", root / "services" / "orders" / "contracts")
    committed(root)
    git(root, "tag", "v1")
    shutil.copytree(ROOT / "services" / "users" / "contracts", root / "services" / "users" / "contracts")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Add users")
    return root


@pytest.mark.parametrize(
    ("form", "services"),
    [
        ("{root}", {"orders", "users"}),
        ("{root}#v1", {"orders"}),
        ("git+file://{root}#v1", {"orders"}),
        ("file://{root}#{commit}", {"orders", "users"}),
    ],
)
def test_by_git_at_a_commit(shop, form, services):
    commit = subprocess.run(["git", "-C", shop, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout

    assert set(others_of([form.format(root=shop, commit=commit.strip())])) == services


def test_a_folder_may_be_a_whole_repository(shop):
    assert set(others_of([f"{shop}/"])) == {"orders", "users"}


def test_a_repository_that_is_told_to_be_one_and_has_nothing(shop, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "README.md").write_text("nothing")
    committed(tmp_path / "bare")

    with pytest.raises(UnreadableContracts, match=r"there are no contracts in git\+file://"):
        others_of([f"git+file://{tmp_path / 'bare'}"])
    (shop / "services" / "users" / "contracts" / "openapi.v2.json").write_text("{}")
    git(shop, "commit", "-qam", "Break it")
    with pytest.raises(UnreadableContracts, match=r"openapi\.v2\.json is not what index\.json says"):
        others_of([str(shop)])


def test_a_file_that_is_too_large_is_not_read_whole(alone, monkeypatch):
    monkeypatch.setattr("slipway_contracts.tree.MAX_FILE_BYTES", 100)

    done = slipway("check", "--against", "HEAD", "--root", alone)

    assert done.exit_code == 1
    assert "HEAD:" in done.output
    assert "is too large" in done.output


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (["/nowhere.git#main"], r"/nowhere\.git#main can't be fetched: .*does not appear to be a git repository"),
        (
            ["https://me:secret@127.0.0.1:1/a.git"],
            r"^https://127\.0\.0\.1:1/a\.git#HEAD can't be fetched: (?!.*secret)",
        ),
        (["git+--upload-pack=touch /tmp/x#main"], "git takes it for an option"),
        (["ext::sh -c x.git"], "transport 'ext' not allowed"),
        (["/nowhere"], "there are no contracts in /nowhere"),
        (["http://127.0.0.1:1/contracts"], "index.json can't be read"),
        (["ftp://127.0.0.1/contracts"], "is no address of contracts"),
        (["http:///contracts"], "is no address of contracts"),
        ([str(ORDERS), str(ORDERS / "contracts")], "has contracts of orders as an earlier place has"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_place(places, said):
    with pytest.raises(UnreadableContracts, match=said):
        others_of(places)


def test_a_place_that_answers_something_else_is_told():
    port = serve_admin("127.0.0.1", 0, Health())

    with pytest.raises(UnreadableContracts, match=r"index\.json can't be read: the answer was 404"):
        others_of([f"http://127.0.0.1:{port}/contracts"])


@pytest.mark.parametrize("place", ["http://[", "https://host:port/a", "x" * 5000, f"{'x' * 5000}.git", "oci://["])
def test_what_is_no_address_is_told(place):
    with pytest.raises(UnreadableContracts):
        others_of([place])


@pytest.mark.parametrize("scheme", ["http://{}", "oci://{}/a/b:c"])
@pytest.mark.parametrize(
    "answer",
    ["302 Found\r\nLocation: http://[", "302 Found\r\nLocation: file:///etc/passwd", "503 No\r\nRetry-After: 3600"],
)
def test_an_answer_that_leads_nowhere_or_to_another_day_is_told(scheme, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_say, args=(server, answer), daemon=True).start()
        with pytest.raises(UnreadableContracts):
            others_of([scheme.format(f"127.0.0.1:{server.getsockname()[1]}")])


def _say(server, answer):
    with contextlib.suppress(OSError):  # the test is over
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
