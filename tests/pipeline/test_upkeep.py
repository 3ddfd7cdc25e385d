"""What a schedule runs: known vulnerabilities of what is locked, and a merge request with what is newer."""

import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.repository import ROOT, copy_repository

KNOWN = {"id": "GHSA-0000", "affected": [{"package": {"name": "werkzeug", "ecosystem": "PyPI"}, "ranges": [
    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]}]}  # fmt: skip


@contextmanager
def osv(vulnerable):
    """Answers as OSV does; yields its address and what it was asked about."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(question["package"]["name"])
            body = json.dumps({"vulns": [KNOWN]} if asked[-1] == vulnerable else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def vulnerabilities(*words):
    return subprocess.run(
        [ROOT / "ci/vulnerabilities.sh", *words], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.integration
class TestVulnerabilities:
    """pip-audit itself is asked, of an OSV of the test. Some 20 s."""

    def test_every_lock_is_asked_about(self):
        with osv(vulnerable=None) as (address, asked):
            done = vulnerabilities("--osv-url", address)
        assert done.returncode == 0, done.stderr
        assert {"werkzeug", "kopf", "uv", "hatchling"} <= set(asked)

    def test_a_known_one_is_named_and_may_be_accepted(self):
        with osv(vulnerable="werkzeug") as (address, _):
            done = vulnerabilities("--osv-url", address)
            accepted = vulnerabilities("--osv-url", address, "--ignore-vuln", "GHSA-0000")
        assert done.returncode == 1
        assert "werkzeug" in done.stdout
        assert "GHSA-0000" in done.stdout
        assert accepted.returncode == 0, accepted.stderr

    def test_who_is_away_is_no_good_news(self):
        with osv(vulnerable=None) as (address, _):
            pass
        done = vulnerabilities("--osv-url", address)
        assert done.returncode == 1
        assert "error: OSV could not be asked, so nothing is known: " in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(name="clone")
def _clone(tmp_path):
    """A clone of this tree whose origin takes push options and writes them down."""
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    clone.mkdir()
    copy_repository(clone)
    git = ["git", "-C", clone, "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    subprocess.run(["git", "-C", origin, "config", "receive.advertisePushOptions", "true"], check=True)
    hook = origin / "hooks" / "pre-receive"
    options = tmp_path / "options"
    hook.write_text(f"#!/bin/sh\nenv | sed -n 's/^GIT_PUSH_OPTION_[0-9]*=//p' | sort > {options}\n")
    hook.chmod(0o755)
    subprocess.run([*git, "remote", "add", "origin", origin], check=True)
    return clone, origin, options


def updates(clone, **environment):
    return subprocess.run(
        ["ci/updates.sh", "main"], cwd=clone, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(clone.parent)} | environment,
    )  # fmt: skip


class TestUpdates:
    def test_what_is_newer_becomes_a_merge_request(self, clone):
        folder, origin, options = clone
        (folder / "requirements.lock").write_text("flask==999\n")
        (folder / "README.md").write_text("of nobody's business")

        done = updates(folder, UPDATES_TOKEN="secret")

        assert done.returncode == 0, done.stderr
        changed = subprocess.run(
            ["git", "-C", origin, "show", "--stat=200", "--format=%s", "updates"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert changed.startswith("Lock the newest packages\n")
        assert "requirements.lock" in changed
        assert "README.md" not in changed
        assert {"merge_request.create", "merge_request.target=main"} <= set(options.read_text().splitlines())
        assert "secret" not in done.stdout + done.stderr

    def test_nothing_newer_is_no_merge_request(self, clone):
        folder, origin, _ = clone
        assert "every package is the newest one" in updates(folder).stderr
        assert not list((origin / "refs" / "heads").iterdir())

    def test_without_a_token_it_says_what_is_missing(self, clone):
        folder, *_ = clone
        (folder / "requirements.lock").write_text("flask==999\n")
        done = updates(folder)
        assert done.returncode == 1
        assert done.stderr.startswith("error: UPDATES_TOKEN is not set")
