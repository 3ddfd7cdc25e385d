"""Promises of the repository as a whole: its tree, its locks, its documents."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import slipway_chassis
from support.repository import ROOT, SERVICES, tracked

DOCUMENTS = tracked("*.md")
SOURCES = [path for path in tracked("*.py") if "/src/" in str(path) and "inventory_v1" not in str(path)]


def test_operator_shadows_no_standard_library():
    """A package or test in operator/ would hide the standard library's module of that name."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "operator" / "conftest.py").exists()
    assert not list((ROOT / "operator").rglob("test_*.py"))


@pytest.mark.parametrize("path", tracked("requirements.lock", "ci/wheels/*.lock"), ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_addresses(path):
    lock = path.read_text()

    assert "://" not in lock
    assert re.search("^[a-z0-9]", lock, re.MULTILINE)
    for requirement in re.findall(r"^[a-z0-9].*(?:\n    .*)*", lock, re.MULTILINE):
        assert "--hash=sha256:" in requirement, requirement


def test_packages_and_charts_have_one_version():
    """Between releases too: a release writes its own into what it makes."""
    packages = {name: tomllib.loads(name.read_text())["project"]["version"] for name in tracked("*pyproject.toml")}
    bounds = {
        bound
        for name in packages
        for bound in re.findall(r"slipway-[a-z]+(?:\[[a-z,]+\])?~=([0-9.]+)", name.read_text())
    }
    charts = {
        name: re.findall(r"^version: (.*)$", name.read_text(), re.MULTILINE)[0] for name in tracked("*Chart.yaml")
    }

    assert set((packages | charts).values()) == {slipway_chassis.__version__}
    assert bounds == {f"{slipway_chassis.__version__.rpartition('.')[0]}.0"}


def test_no_file_names_a_package_registry():
    hosts = [
        "pypi" + ".org",
        "python" + "hosted",
        "registry.npm" + "js",
        "repo1.maven" + ".org",
        "repo.maven" + ".apache",
    ]
    hosts += ["proxy.go" + "lang", "crates" + ".io", "deb.deb" + "ian"]
    for path in tracked():
        text = path.read_text(errors="replace")
        for host in hosts:
            assert host not in text, f"{path}: {host}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_readable(path):
    assert len(path.read_text().splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "common", "manager", "base"}


def test_modules_of_tests_stay_readable():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked("tests/*.py")}

    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_tests_mirror_the_sources_and_share_what_is_in_support():
    """A module on top of tests/ would be hidden by a package of its name, and hide one."""
    assert {path.name for path in (ROOT / "tests").glob("*.py")} == {"conftest.py", "test_repository.py"}
    for package, tests in (
        ("operator/src", "tests/operator"),
        ("services/chassis/src", "tests/chassis"),
        ("services/contracts/src", "tests/contracts"),
    ):
        packages = {path.parent.name for path in (ROOT / package).rglob("__init__.py")}
        assert {path.parent.name for path in (ROOT / tests).glob("*/**/test_*.py")} <= packages


def test_the_environment_is_read_in_config_alone():
    for path in SOURCES:
        if path.name == "config.py":
            continue
        read = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and node.attr in {"environ", "environb", "getenv"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ]
        assert not read, path
        assert "from os import" not in path.read_text(), path


# A service leaves out what it does not need, and has nothing else.
EVERYWHERE = {"pyproject.toml", "__init__.py", "py.typed", "bootstrap.py", "errors.py"}
EVERYWHERE |= {f"{layer}/__init__.py" for layer in ("domain", "application", "adapters", "entrypoints")}
WITH_DATA = {
    "domain/model.py", "domain/events.py", "application/ports.py", "application/use_cases.py",
    "application/consumed_events.py", "adapters/repositories.py", "adapters/tables.py", "adapters/streams.py",
    "entrypoints/events.py", "migrations/env.py",
}  # fmt: skip
ENTRYPOINTS = {"http", "grpc", "events", "timers", "cli", "oauth"}  # the storefront has pages


def test_a_package_is_a_service_unless_it_is_a_part_of_all():
    """A package without a composition root would be left out of images, charts and contracts."""
    packages = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    assert packages == {*SERVICES, "contracts", "chassis", "gateway"}


@pytest.mark.parametrize("service", SERVICES)
def test_all_services_have_the_same_files_in_the_same_places(service):
    folder = ROOT / "services" / service
    inner = f"src/{service}/"
    files = {str(path.relative_to(folder)).removeprefix(inner) for path in tracked(f"services/{service}")}

    wanted = EVERYWHERE | (WITH_DATA if any("migrations" in name for name in files) else set())
    assert files >= wanted
    tops = {name.partition("/")[0] for name in files}
    assert tops <= {"domain", "application", "adapters", "entrypoints", "migrations", "proto", "proto_vendor",
                    "contracts", "pyproject.toml", "__init__.py", "py.typed", "bootstrap.py", "errors.py",
                    "settings.py"}  # fmt: skip
    if service != "storefront":
        asked = {name.split("/")[1].removesuffix(".py") for name in files if name.startswith("entrypoints/")}
        assert asked <= ENTRYPOINTS | {"__init__", "templates", "inventory_v1"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documents_promise_nothing_is_easy(path):
    assert not re.search(r"\b(simply|just|easy|easily)\b", path.read_text(), re.IGNORECASE)


def commands(document: Path):
    """The lines of ```sh blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


# Each command of the README is run by CI: by .ci/run itself, or by the test named here.
RUN_BY_TESTS = {
    "make demo": "tests/demo/test_demo.py",
    "make demo ONCE=1": "tests/demo/test_demo.py",
    "make bench": "tests/bench/test_bench.py",
    "slipway run notes migrate": "tests/integration/test_readme.py",
    "slipway run notes http": "tests/integration/test_readme.py",
    "slipway dlq ls": "tests/integration/test_readme.py",
    "slipway dlq ls orders.order.v1 users": "tests/integration/test_readme.py",
    "slipway dlq replay orders.order.v1 users --dry-run": "tests/integration/test_readme.py",
    "slipway doctor": "tests/integration/test_readme.py",
    "slipway keys ls": "tests/users/test_signing.py",
    "slipway keys rotate": "tests/users/test_signing.py",
    "ci/deploy.sh --fresh --managed": "tests/e2e/test_readme.py",
    "export PATH=$PWD/.venv/bin:$(make tools-path):$PATH": "tests/e2e/test_readme.py",
    "kubectl slipway status slipway-orders -n shop --watch": "tests/e2e/test_readme.py",
    "kubectl slipway explain slipway-orders -n shop": "tests/e2e/test_readme.py",
    "kubectl slipway rollback slipway-orders -n shop --wait": "tests/e2e/test_readme.py",
    "make compose": "tests/compose/test_compose.py",
    "ci/compose.sh down": "tests/compose/test_compose.py",
    "slipway new service parcels": "tests/scaffold/test_outside.py",
}


def is_run_by_ci(path):
    """Not what make soak alone runs."""
    marks = re.search(r"^pytestmark = (.*)$", path.read_text(), re.MULTILINE)
    return marks is None or "mark.soak" not in marks[1]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_of_the_readme_is_run(readme):
    script = (ROOT / ".ci" / "run").read_text()
    for command in commands(ROOT / readme):
        by_test = RUN_BY_TESTS.get(command)
        assert by_test or re.search(rf"^ *run (.*&& )?{re.escape(command)}( WITHOUT=\w+)?\"?$", script, re.MULTILINE), (
            command
        )
        assert by_test is None or is_run_by_ci(ROOT / by_test), by_test


def test_both_readmes_show_the_same_commands():
    assert commands(ROOT / "README.md") == commands(ROOT / "README.zh-CN.md")


def test_help_shows_every_target():
    shown = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for target in re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE):
        assert f"make {target} " in shown
