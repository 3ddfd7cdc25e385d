"""Story A of docs/adopt.md, as typed: a new service in its own repository, released under load, and gone again.

Nothing is there but the packages as they are released, an empty home and an empty folder.
"""

import json
import re
import time
import urllib.request

import pytest

from slipway_chassis.testing.plugin import eventually
from support.load import Anybody, Load
from support.newcomer import blocks_of
from support.repository import ROOT
from support.tools import needs

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900), needs("curl", "curl")]
URL = "http://127.0.0.1:8080"
MOST_COMMANDS = 8


def test_a_service_is_new_tested_released_and_taken_back(newcomer):
    began = time.monotonic()
    first, meanwhile = blocks_of("adopt.md", "A: a new service")[:2]
    *before, up = first
    for line in before:
        newcomer.types(line)
    assert newcomer.folder.name == "parcels"
    assert_names_nothing_of_the_checkout(newcomer.folder)

    create, *releases = meanwhile
    with newcomer.leaves_running(up):
        eventually(lambda: answers("/v1/parcels"), within=180, every=0.5)
        assert '"first"' in newcomer.types(create)
        with Load(Anybody(URL), requests_of("parcels"), rate=40, clients=4, seconds=600) as load:
            load.wait_for(40)
            for line in releases:
                newcomer.types(line)
            load.wait_for(40)
        assert load.failures == []
        kept = stored("parcels")
        assert sorted(each["id"] for each in kept if each["name"] == "loaded") == sorted(load.created)
    minutes, commands = (time.monotonic() - began) / 60, newcomer.typed

    assert_a_removed_path_is_found(newcomer)
    newcomer.types("cd .. && rm -rf parcels && uv tool uninstall slipway-chassis")
    assert newcomer.left() == []
    print(*newcomer.told, sep="\n")
    print(f"story A: {commands} commands, {minutes:.1f} minutes; {load.sent} requests, {len(load.failures)} failed")
    assert commands <= MOST_COMMANDS


@pytest.mark.soak
def test_a_repository_of_five_services_is_released_one_by_one(newcomer):
    names = ["parcels", "notes", "invoices", "carriers", "returns"]
    newcomer.types("uv tool install 'slipway-chassis[new]'")
    newcomer.types("mkdir shipping && cd shipping && git init")
    for name in names:
        newcomer.types(f"slipway new service {name} {'--http-only' if name == 'notes' else ''}")
    said = newcomer.types("uv run pytest -q", within=600)
    assert re.search(r"^45 passed", said, re.MULTILINE), said

    with newcomer.leaves_running("uv run slipway up"):
        for name in names:
            eventually(lambda name=name: answers(f"/v1/{name}"), within=300, every=0.5)
        wanted = [request for name in names for request in requests_of(name)]
        with Load(Anybody(URL), wanted, rate=40, clients=4, seconds=900) as load:
            load.wait_for(100)
            for name in ("notes", "returns"):
                newcomer.types(f"uv run slipway release {name} --version 2")
            load.wait_for(100)
        assert load.failures == []


def requests_of(name):
    return [("POST", f"/v1/{name}", {"name": "loaded"}), ("GET", f"/v1/{name}?limit=1", None)]


def page(path):
    with urllib.request.urlopen(f"{URL}{path}", timeout=10) as answer:
        return json.load(answer)


def answers(path):
    try:
        return bool(page(path))
    except OSError:
        return False


def stored(name):
    """All that the service keeps, page by page."""
    path, found = f"/v1/{name}?limit=100", []
    while path:
        one = page(path)
        found += one[name]
        path = one["next"]
    return found


def assert_names_nothing_of_the_checkout(folder):
    foreign = (str(ROOT), "workspace = true", "file://..", "make ")
    for path in folder.rglob("*"):
        if path.is_file() and not {".git", ".venv", "__pycache__", "uv.lock"} & set(path.parts):
            text = path.read_text()
            assert [word for word in foreign if word in text] == [], path


def assert_a_removed_path_is_found(newcomer):
    """The check of a pipeline: what was committed against what is there."""
    commit = "git add -A && git -c user.name=Ada -c user.email=a@b commit -qm first"
    newcomer.types(f"uv run slipway contracts export parcels && {commit}")
    source = newcomer.folder / "src" / "parcels" / "entrypoints" / "http.py"
    source.write_text(source.read_text().replace("/v1/parcels/<uuid:one_id>", "/v1/parcel/<uuid:one_id>"))
    newcomer.types("uv run slipway contracts export parcels")
    said = newcomer.types("uv run slipway contracts check --against HEAD", code=1)
    assert "GET /v1/parcels/{one_id}" in said, said
