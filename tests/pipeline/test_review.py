"""Where a review environment is looked at: through this machine, or by a name of its own at an ingress controller."""

import json
import os
import shutil
import subprocess

import pytest

from support.charts import CHARTS, of_kind, render
from support.repository import ROOT

BRANCH = "a-branch-with-a-very-long-name-that-somebody-once-typed"


@pytest.fixture(name="review")
def _review(tmp_path):
    """ci/review.sh in a folder of its own, where what installs only tells what it was told."""
    shutil.copytree(ROOT / "ci", tmp_path / "ci")
    told = tmp_path / "told.json"
    fakes = {
        "deploy.sh": f'python3 -c \'import json, sys; json.dump(sys.argv[1:], open("{told}", "w"))\' "$@"',
        "tools/install.sh": "echo /nowhere",
    }
    for name, text in fakes.items():
        (tmp_path / "ci" / name).write_text(f"#!/bin/sh\n{text}\n")

    def review(name, **environment):
        done = subprocess.run(
            ["ci/review.sh", "up", name, "registry.example.org/shop"], capture_output=True, text=True, check=False,
            cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment},
        )  # fmt: skip
        written = tmp_path / "build" / "review.env"
        return (
            done,
            json.loads(told.read_text()) if told.exists() else [],
            written.read_text() if written.exists() else "",
        )

    return review


def test_by_a_name_of_its_own(review):
    done, options, written = review("my-branch", REVIEW_BASE="https://review.example.org")

    assert done.returncode == 0, done.stderr
    assert written == "REVIEW_URL=https://my-branch.review.example.org\n"
    objects = render("platform", CHARTS / "platform" / "ci" / "kind-values.yaml", *options)
    [ingress] = of_kind(objects, "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["my-branch.review.example.org"]
    issuers = {each["data"]["AUTH_ISSUER"] for each in of_kind(objects, "ConfigMap") if "AUTH_ISSUER" in each["data"]}
    assert issuers == {"https://my-branch.review.example.org"}


def test_a_long_name_is_cut_as_that_of_its_namespace_is(review):
    done, options, written = review(BRANCH, REVIEW_BASE="http://review.example.org:8080")

    assert done.returncode == 0, done.stderr
    host = written.strip().removeprefix("REVIEW_URL=http://").removesuffix(".review.example.org:8080")
    assert len(host) == 42
    assert host.startswith(BRANCH[:33])
    assert f"gateway.ingress.hostnames[0]={host}.review.example.org" in options


def test_through_this_machine_without_a_domain(review):
    done, options, written = review("my-branch")

    assert done.returncode == 0, done.stderr
    assert written == "REVIEW_URL=http://127.0.0.1:30080\n"
    assert "port-forward" in done.stdout
    assert not [option for option in options if "ingress" in option]


@pytest.mark.parametrize("base", ["review.example.org", "https://*.example.org", "https://a.example.org/path"])
def test_what_is_no_domain_is_refused(review, base):
    done, options, _ = review("my-branch", REVIEW_BASE=base)

    assert (done.returncode, options) == (1, [])
    assert "REVIEW_BASE is" in done.stderr
