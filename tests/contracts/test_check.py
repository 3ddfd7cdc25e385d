"""`slipway contracts`: what is committed is what is exported, changes are judged against git, services show it."""

import importlib
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from slipway_chassis.cli.contracts import contracts as command
from slipway_chassis.cli.exporting import contracts_of, stale
from slipway_chassis.telemetry.admin import serve_admin
from slipway_chassis.telemetry.health import Health
from slipway_contracts import Contracts, ReadsEvent
from slipway_contracts.bundle import INDEX, MAX_FILE_BYTES
from slipway_contracts.consumes import consumes_of
from slipway_contracts.tree import in_folder
from support.repository import ROOT, SERVICES


def slipway(*arguments):
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def made(service):
    declared = importlib.import_module(f"{service}.bootstrap").SERVICE
    return contracts_of(declared, consumes_of(ROOT / "services" / service / "pyproject.toml"))


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_committed_is_what_the_code_promises(service):
    assert stale(made(service), ROOT / "services" / service / "contracts") == [], "run: make generate"


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_declares_to_read_is_what_its_classes_read(service):
    contracts = made(service)
    document = contracts.asyncapi
    received = {
        name["$ref"].rpartition("/")[2]
        for operation in document.get("operations", {}).values()
        if operation["action"] == "receive"
        for name in operation["messages"]
    }
    fields = {
        kind: set(document["components"]["messages"][kind]["payload"]["schema"]["properties"]) for kind in received
    }

    assert {one.type: set(one.fields) for one in contracts.consumes if isinstance(one, ReadsEvent)} == fields


def test_the_shop_keeps_what_its_parts_rely_on():
    done = slipway("check", "--against", str(ROOT), "--root", str(ROOT))

    assert done.exit_code == 0, done.output
    assert "nothing breaks" in done.output
    assert set(in_folder(ROOT)) == set(SERVICES)


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """A repository with the services' contracts, committed."""
    for service in SERVICES:
        shutil.copytree(ROOT / "services" / service / "contracts", tmp_path / "services" / service / "contracts")
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.example"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "contracts"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def change(tree, service, path, edit):
    """Edits a document and its digest, as an export of changed code would."""
    folder = tree / "services" / service / "contracts"
    document = json.loads((folder / path).read_text())
    edit(document)
    (folder / path).write_text(json.dumps(document))
    files = {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    files.pop(INDEX)
    (folder / INDEX).write_bytes(Contracts(service, files).index())


def test_a_break_of_the_api_is_told_by_service_and_ends_with_1(tree):
    change(tree, "orders", "openapi.v1.json", lambda document: document["paths"].pop("/v1/orders/{order_id}/cancel"))

    done = slipway("check", "--against", "HEAD", "--root", str(tree))

    assert done.exit_code == 1
    assert "POST /v1/orders/{order_id}/cancel is gone" in done.output
    assert "storefront calls POST /v1/orders/{order_id}/cancel of orders" in done.output
    assert done.output.splitlines()[0] == "orders"
    assert "users" not in done.output


def test_a_field_that_somebody_reads_can_not_go(tree):
    def without_reason(schema):
        del schema["properties"]["reason"]
        schema["required"].remove("reason")

    change(tree, "inventory", "events/inventory.ReservationRejected.v1.schema.json", without_reason)

    done = slipway("check", "--against", "HEAD", "--root", str(tree), "--output", "json")

    found = json.loads(done.output)
    assert (done.exit_code, found["ok"]) == (1, False)
    rules = {one["rule"] for one in found["services"]["inventory"]["findings"]}
    assert {"event-required-widened", "consumer-field-unknown"} <= rules


def test_a_merge_request_shows_what_breaks(tree):
    """As GitLab reads it: no member may be missing, and a finding keeps its fingerprint from run to run."""
    change(tree, "orders", "openapi.v1.json", lambda document: document["paths"].pop("/v1/orders/{order_id}/cancel"))
    reports = [tree / "first.json", tree / "second.json"]

    for report in reports:
        arguments = ("check", "--against", "HEAD", "--root", str(tree), "--code-quality", str(report))
        assert slipway(*arguments).exit_code == 1

    first, second = (json.loads(report.read_text()) for report in reports)
    assert first == second
    assert len({one["fingerprint"] for one in first}) == len(first) >= 2
    gone = next(one for one in first if "cancel is gone" in one["description"])
    assert (gone["severity"], gone["location"]["lines"]) == ("critical", {"begin": 1})
    assert (tree / gone["location"]["path"]).is_file()


def test_an_addition_passes_and_is_shown_when_asked_for(tree):
    def with_note(schema):
        schema["properties"]["note"] = {"type": "string"}

    change(tree, "orders", "events/orders.OrderPlaced.v1.schema.json", with_note)

    assert slipway("check", "--against", "HEAD", "--root", str(tree)).exit_code == 0
    assert "note is new" in slipway("check", "--against", "HEAD", "--root", str(tree), "--all").output


def test_an_event_that_its_reader_can_not_read_is_found_without_an_earlier_version(tree):
    """Both sides are there: what is written must be what the reader's class accepts."""
    change(tree, "users", "asyncapi.json", orders_total_as_text)

    done = slipway("check", "--against", str(tree), "--root", str(tree))

    assert done.exit_code == 1
    assert "total_cents is written as integer and read as string" in done.output


def orders_total_as_text(document):
    payload = document["components"]["messages"]["orders.OrderPlaced.v1"]["payload"]["schema"]
    payload["properties"]["total_cents"] = {"type": "string"}


def test_contracts_that_vanish_are_a_break(tree):
    shutil.rmtree(tree / "services" / "users" / "contracts")

    done = slipway("check", "--against", "HEAD", "--root", str(tree))

    assert done.exit_code == 1
    assert "users has no contracts any more" in done.output
    assert "and no service users is known here" in done.output


def test_a_file_changed_by_hand_is_refused(tree):
    path = tree / "services" / "users" / "contracts" / "openapi.v2.json"
    path.write_text(path.read_text().replace("email", "mail"))

    done = slipway("check", "--against", "HEAD", "--root", str(tree))

    assert done.exit_code == 1
    path = "services/users/contracts/openapi.v2.json"
    assert f"The contracts can't be read: {path} is not what index.json says: its digest differs" in done.output


def test_a_tree_without_contracts_is_a_mistake_and_no_success(tree):
    done = slipway("check", "--against", "HEAD", "--root", str(tree), "--services", "servces")

    assert done.exit_code == 2
    assert "servces/*/contracts: nothing was compared" in done.output


def test_a_commit_that_is_not_there_is_named(tree):
    done = slipway("check", "--against", "nowhere", "--root", str(tree))

    assert done.exit_code == 1
    assert re.match("error: .*nowhere", done.output)


def test_export_can_check_and_removes_what_is_gone(tmp_path):
    folder = tmp_path / "contracts"
    slipway("export", "users", "--to", str(folder))
    slipway("export", "users", "--to", str(folder), "--check")
    (folder / "openapi.v3.json").write_text("{}")

    done = slipway("export", "users", "--to", str(folder), "--check")
    assert done.exit_code == 1
    assert re.match(r"error: .*openapi\.v3\.json is not what users promises now\. Export it again\n", done.output)
    slipway("export", "users", "--to", str(folder))
    assert not (folder / "openapi.v3.json").exists()


@pytest.fixture(name="ask")
def _ask():
    """An admin port over the contracts of orders, as in its image."""
    port = serve_admin("127.0.0.1", 0, Health({}), ROOT / "services" / "orders" / "contracts")

    def ask(path, method="GET"):
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return ask


def test_a_running_service_shows_its_contracts(ask):
    read = Contracts.read(lambda path: ask(f"/contracts/{path}")[1])

    assert read == made("orders")
    assert ask("/contracts")[1] == read.index()


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/contracts/../pyproject.toml", "GET"),
        ("/contracts/%2e%2e/pyproject.toml", "GET"),
        ("/contracts//etc/passwd", "GET"),
        ("/contractsindex.json", "GET"),
        ("/contracts/index.json", "POST"),
        ("/contracts/nothing.json", "GET"),
    ],
)
def test_and_nothing_else(ask, path, method):
    assert ask(path, method)[0] in {404, 501}


def test_without_contracts_there_is_nothing_to_show(tmp_path):
    (tmp_path / "index.json").write_bytes(b" " * (MAX_FILE_BYTES + 1))
    for folder in (tmp_path, tmp_path / "nowhere"):
        port = serve_admin("127.0.0.1", 0, Health({}), folder)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/contracts", timeout=10)


@pytest.mark.parametrize("options", [
    ["--against", "x" * 5000], ["--against", "HEAD\0"], ["--services", "/etc"], ["--services", "../.."],
    ["--code-quality", "nodir/x.json"], ["--registry", "oci://[::::]/x:y"], ["--registry", "oci://a:99999/x:y"],
    ["--registry", "x" * 5000], ["--registry", "a\0b"], ["--services", "a\0b"],
])  # fmt: skip
def test_what_nobody_can_mean_is_a_sentence(tree, options):
    given = [] if "--against" in options else ["--against", "HEAD"]
    done = slipway("check", *given, "--root", str(tree), *options)
    assert done.exit_code in {1, 2}
    assert "Traceback" not in done.output
    assert re.search(r"(?i)error: ", done.output)


def test_a_pipe_in_the_place_of_a_contract_is_no_file(tree):
    """Whoever opened it would wait for somebody who writes."""
    [index, *_] = sorted((tree / "services").glob("*/contracts/index.json"))
    index.unlink()
    os.mkfifo(index)
    said = in_folder(tree)[index.parent.parent.name]
    assert "is no file" in str(said)
