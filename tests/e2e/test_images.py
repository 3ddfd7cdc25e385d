"""The images that `make e2e` has loaded: small, without tools, for a user without rights on a read-only root."""

import json

import pytest

from support.kind.commands import run
from support.repository import SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.docker]
MEGABYTE = 1_000_000
PROGRAMS = """python -c '
import subprocess
from slipway_chassis.embedded.postgresql import programs
for program in ("postgres", "initdb", "pg_dump", "pg_restore", "psql"):
    subprocess.run([programs() / program, "--version"], check=True)
'"""
TAG = run("ci/images.sh", "tag").strip()


def inspect(image):
    [found] = json.loads(run("docker", "image", "inspect", image))
    return found


def in_image(name, command):
    """What a shell says in a container as strict as our pods."""
    strict = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
    return run("docker", "run", "--rm", *strict, "--entrypoint=/bin/sh", f"slipway/{name}:{TAG}", "-c", command)


@pytest.fixture(name="name", params=[*SERVICES, "gateway", "operator", "backup", "kubectl-slipway"])
def _name(request):
    return request.param


def layers(name):
    return inspect(f"slipway/{name}:{TAG}")["RootFS"]["Layers"]


def added(name):
    """Sizes of the two layers on top of the base: packages of others, and ours."""
    history = run("docker", "history", "--no-trunc", "--human=false", "--format={{.Size}} {{.CreatedBy}}",
                  f"slipway/{name}:{TAG}").splitlines()  # fmt: skip
    sizes = [int(line.split()[0]) for line in history if "COPY" in line and "/app" in line]
    return sizes[1], sizes[0]


def test_an_image_adds_less_than_150_megabytes_to_its_base(name):
    packages, own = added(name)

    with_postgresql = 15 * (name == "backup")
    assert packages + own < (150 + with_postgresql) * MEGABYTE
    assert own < 10 * MEGABYTE


def test_services_share_the_layer_with_the_packages_of_others():
    """Behind it are two of their own: their code, and their contracts."""
    assert len({tuple(layers(service)[:-2]) for service in SERVICES}) == 1


def test_nothing_in_it_builds_or_installs(name):
    tools = "gcc cc g++ c++ clang ld make cargo go uv git curl wget"
    assert in_image(name, f"for tool in {tools}; do command -v $tool; done; true") == ""
    assert in_image(name, "python -c 'import pip' 2>/dev/null && echo there; true") == ""


def test_it_runs_without_rights_and_can_change_nothing_of_itself(name):
    assert in_image(name, "id -u; id -g").split() == ["10001", "10001"]
    assert in_image(name, "find /app /usr/bin -perm -o+w ! -type l -o -user 10001 | head -3") == ""


def test_its_process_starts_on_a_read_only_file_system(name):
    started = {
        "gateway": "envoy --version && slipway gateway --help",
        "operator": "python -c 'import slipway_operator.__main__'",
        "backup": f"{PROGRAMS} && slipway backup pod --help",
        "kubectl-slipway": "kubectl version --client && kubectl slipway --version",
    }
    in_image(name, started.get(name, f"slipway run {name} --help && python -c 'import {name}.bootstrap'"))


def test_the_list_of_its_parts_names_what_is_inside(name):
    image = f"slipway/{name}:{TAG}"
    command = f"docker run --rm -i --network none --entrypoint python {image} - {image} < ci/sbom.py"
    document = json.loads(run("bash", "-c", command))

    named = {part["name"]: part for part in document["components"]}
    assert named["pydantic"]["purl"] == f"pkg:pypi/pydantic@{named['pydantic']['version']}"
    assert named["libc6"]["purl"].startswith("pkg:deb/debian/libc6@")
    assert ("sqlalchemy" in named) == (name in {*SERVICES, "backup"})
