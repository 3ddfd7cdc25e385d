"""Story C of docs/adopt.md on a laptop, as typed: a Flask application without the chassis, released under load."""

import re
import urllib.request

import pytest

from slipway_chassis.testing.plugin import eventually
from support.load import Anybody, Load
from support.newcomer import blocks_of
from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]
URL = "http://127.0.0.1:8080"
APPLICATION = """from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/health")
def health():
    return "well"


@app.get("/")
def home():
    return jsonify(version="one")
"""


def home():
    try:
        with urllib.request.urlopen(URL, timeout=10) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def test_a_flask_application_is_released_and_taken_back(newcomer):
    [described] = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/adopt.md").read_text(), re.DOTALL)
    (newcomer.folder / "app.py").write_text(APPLICATION)
    (newcomer.folder / "pyproject.toml").write_text(described)
    newcomer.types("uv venv -q && uv pip install -q flask gunicorn")  # what such a project has
    (install, up), (release, rollback) = blocks_of("adopt.md", "C: an existing application")

    newcomer.types(install)
    with newcomer.leaves_running(up):
        eventually(lambda: "one" in home(), within=120, every=0.5)
        (newcomer.folder / "app.py").write_text(APPLICATION.replace("one", "two"))
        # Plain gunicorn closes kept connections when it ends: clients try again, as browsers do.
        with Load(Anybody(URL), [("GET", "/", None)], rate=40, clients=4, seconds=600, tolerant=True) as load:
            load.wait_for(40)
            newcomer.types(release)
            assert "two" in home()
            newcomer.types(rollback)
            assert "two" not in home()
            load.wait_for(40)
        assert load.failures == []

    newcomer.types("uv tool uninstall slipway-cli")
    assert newcomer.left() == []
    print(*newcomer.told, sep="\n")
    print(f"story C: {newcomer.typed} commands; {load.sent} requests, {len(load.failures)} failed")
