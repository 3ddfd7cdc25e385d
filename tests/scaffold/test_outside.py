"""`slipway` as an outsider has it: the wheel in an environment of its own, an empty folder, nothing of this repository.

The packages of others are those of the lock, so that this test tells of ours alone.
"""

import os
import subprocess

import pytest

from support.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# The chassis, and what it needs of ours.
PACKAGES = [folder for folder in ("services/chassis", "services/contracts") if (ROOT / folder).exists()]


def run(command, folder, *, code=0):
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=outside, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout, done.stderr


class Outside:
    """An environment, and a folder that belongs to no repository."""

    def __init__(self, above):
        self.folder, self._environment = above / "team", above / "environment"
        self.folder.mkdir()
        for package in PACKAGES:
            self._uv("build", "-q", "--wheel", package, "--out-dir", above)
        self._wheels = above
        self._uv("venv", "-q", self._environment)

    def install(self, extras=""):
        [chassis] = self._wheels.glob("slipway_chassis-*.whl")
        wheel = f"slipway-chassis{extras} @ {chassis.as_uri()}"
        options = ("--python", self.python, "--constraint", "requirements.lock", "--find-links", self._wheels)
        self._uv("pip", "install", "-q", *options, wheel)

    @property
    def python(self):
        return self._environment / "bin/python"

    def slipway(self, *arguments, code=0):
        return run([self._environment / "bin/slipway", *arguments], self.folder, code=code)

    @staticmethod
    def _uv(*arguments):
        run([ROOT / "ci/uv.sh", *arguments], ROOT)


@pytest.fixture(scope="module", name="outside")
def _outside(run_folder):
    above = run_folder / "outside"
    above.mkdir()
    outside = Outside(above)
    outside.install()
    return outside


def test_the_chassis_alone_names_what_brings_each_command(outside):
    listed, _ = outside.slipway("--help")
    assert "new         Not installed: pip install 'slipway-chassis[new]'" in listed

    for command, package in {
        ("up", "--help"): "slipway-operator[local]",
        ("gateway",): "slipway-gateway",
        ("new", "service", "parcels", "--dry-run"): "slipway-chassis[new]",
    }.items():
        _, said = outside.slipway(*command, code=1)
        assert said.startswith("error: ")
        assert said.endswith(f": pip install '{package}'\n")
        assert said.count("\n") == 1

    found, said = outside.slipway("doctor", code=1)
    assert "pip install 'slipway-operator[local]'" in found
    assert "pip install 'slipway-chassis[testing]'" in found
    assert said == ""


def test_two_new_services_pass_their_tests_in_an_empty_folder(outside):
    outside.install("[new,testing]")
    run(["git", "init", "-q"], outside.folder)

    page = (ROOT / "docs/adopt.md").read_text()
    for service, options in {"parcels": [], "notes": ["--http-only"]}.items():
        assert f"slipway new service {service}" in page
        outside.slipway("new", "service", service, *options)

    sources = f"{outside.folder}/src", f"{outside.folder}/services/notes/src"
    (next(outside.python.parents[1].glob("lib/python*/site-packages")) / "team.pth").write_text("\n".join(sources))
    passed, _ = run([outside.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"], outside.folder)
    assert "18 passed" in passed
    for name, project in {"parcels": "pyproject.toml", "notes": "services/notes/pyproject.toml"}.items():
        outside.slipway("contracts", "export", name, "--to", f"contracts/{name}", "--project", project)
    assert (outside.folder / "contracts/parcels/events/parcels.ParcelCreated.v1.schema.json").exists()
    assert not (outside.folder / "contracts/notes/asyncapi.json").exists()
