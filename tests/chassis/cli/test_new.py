"""`slipway new service` in folders of a team's own: what it writes, and that a mistake writes nothing."""

import re
import tomllib

import pytest
import yaml
from click.testing import CliRunner

from slipway_chassis import __version__
from slipway_chassis.cli import cli
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.scaffold import writing

WORKSPACE = """\
[tool.uv.workspace]
members = ["services/*"] # ours

[tool.slipway]
gateway = "edge.yaml"
registry = "oci://ours.example.org/charts"
services = {users = {}}
"""
EDGE = (
    "gateway:\n  upstreams:\n    users: {address: users}\n  routes:\n  - {prefix: /, upstream: users, public: true}\n"
)
PLUGIN = 'pytest_plugins = ["slipway_chassis.testing.plugin"]\n'
OF_A_CHECKOUT = re.compile(r"\bmake\b|workspace = true|file://|\b(docs|k8s|operator|charts/\w+)/")


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    folder = tmp_path / "team"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(name="workspace")
def _workspace(folder):
    (folder / "pyproject.toml").write_text(WORKSPACE)
    (folder / "edge.yaml").write_text(EDGE)
    return folder


def new(*arguments):
    return CliRunner().invoke(cli, ["new", "service", *arguments])


def refused(*arguments):
    """What it says; an error of ours is printed by main."""
    done = new(*arguments)
    assert done.exit_code != 0
    if isinstance(done.exception, SystemExit):
        return " ".join(done.output.split())
    assert isinstance(done.exception, ConfigurationError), done.exception
    return str(done.exception)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def toml(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())


class TestProject:
    def test_an_empty_folder_gets_all_that_a_project_needs(self, folder):
        said = new("parcels", "--registry", "oci://charts.example.org/slipway").output

        assert {
            "pyproject.toml", "src/parcels/bootstrap.py", "tests/conftest.py", "tests/test_api.py", "gateway.yaml",
            "Dockerfile", ".dockerignore", "chart/Chart.yaml", "chart/values.schema.json", ".gitlab-ci.yml",
            ".gitignore", "README.md",
        } <= contents(folder).keys()  # fmt: skip
        assert "uv run slipway up" in said
        assert "make" not in said
        minor = __version__.rpartition(".")[0]
        [dependency] = yaml.safe_load((folder / "chart/Chart.yaml").read_text())["dependencies"]
        assert dependency == {
            "name": "service", "version": f"~{minor}.0", "repository": "oci://charts.example.org/slipway",
        }  # fmt: skip
        assert toml(folder)["tool"]["slipway"]["services"] == {"parcels": {"processes": ["migrate", "http", "relay"]}}
        assert toml(folder)["project"]["dependencies"][0].startswith(f"slipway-chassis>={__version__},<")
        [include] = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())["include"]
        assert include["component"].endswith(f"/service@v{__version__}")
        assert ".slipway/" in (folder / ".gitignore").read_text().splitlines()

    @pytest.mark.parametrize("options", [[], ["--http-only"]])
    def test_no_file_names_what_only_our_repository_has(self, folder, options):
        new("parcels", *options)
        new("notes", *options)

        texts = {path: content.decode() for path, content in contents(folder).items()}
        assert not [f"{path}: {found[0]}" for path, text in texts.items() if (found := OF_A_CHECKOUT.search(text))]
        assert not [path for path, text in texts.items() if "__service__" in text or "<%" in text]

    def test_without_events_there_is_no_trace_of_them(self, folder):
        new("parcels", "--http-only")

        assert toml(folder)["tool"]["slipway"]["services"] == {"parcels": {"processes": ["migrate", "http"]}}
        of_events = re.compile(rb"(?i)kafka|outbox|relay|slipway_chassis\.events\.(stream|sources)|java")
        told = {path for path, content in contents(folder).items() if of_events.search(content)}
        # Those that know all processes, and all values of the library.
        assert told == {"Dockerfile", "chart/README.md", "chart/values.schema.json", "chart/values.yaml"}

    def test_what_a_forge_or_uv_has_written_stays(self, folder):
        before = {
            "README.md": "# Ours\n",
            ".gitignore": "*.log",
            ".gitlab-ci.yml": "stages: [test]\n",
            "pyproject.toml": '[project]\nname = "ours" # ours\nversion = "7"\ndependencies = ["flask"]\n',
        }
        for path, text in before.items():
            (folder / path).write_text(text)

        said = new("parcels").output

        assert (folder / "README.md").read_text() == "# Ours\n"
        assert "README.md (there already, stays)" in said
        assert (folder / ".gitignore").read_text().splitlines()[:2] == ["*.log", ".slipway/"]
        assert yaml.safe_load((folder / ".gitlab-ci.yml").read_text()).keys() == {"stages", "include"}
        held = toml(folder)
        assert (held["project"]["name"], held["project"]["version"]) == ("ours", "7")
        assert held["project"]["dependencies"][0] == "flask"
        assert held["tool"]["slipway"]["gateway"] == "gateway.yaml"

    def test_dry_run_lists_and_writes_nothing(self, folder):
        listed = new("parcels", "--dry-run").output.split()

        assert contents(folder) == {}
        new("parcels")
        assert contents(folder).keys() <= set(listed)


class TestWorkspace:
    def test_a_further_service_lies_beside_the_others(self, workspace):
        (workspace / "tests").mkdir()
        (workspace / "tests/conftest.py").write_text(PLUGIN)

        said = new("parcels").output

        assert {"services/parcels/Dockerfile", "services/parcels/chart/Chart.yaml", "tests/parcels/test_api.py"} <= (
            contents(workspace).keys()
        )
        assert not (workspace / ".gitlab-ci.yml").exists()
        assert "There is no .gitlab-ci.yml" in said
        held = toml(workspace)
        assert held["tool"]["slipway"]["services"].keys() == {"users", "parcels"}
        assert held["tool"]["uv"]["sources"] == {"parcels": {"workspace": True}}
        assert held["dependency-groups"] == {"dev": ["parcels"]}
        gateway = yaml.safe_load((workspace / "edge.yaml").read_text())["gateway"]
        assert [route["prefix"] for route in gateway["routes"]] == ["/v1/parcels", "/"]
        chart = yaml.safe_load((workspace / "services/parcels/chart/Chart.yaml").read_text())
        assert chart["dependencies"][0]["repository"] == "oci://ours.example.org/charts"

    def test_a_project_of_its_own_gets_a_second_service_and_moves_nothing(self, folder):
        new("parcels")
        before = contents(folder)

        new("notes")

        after = contents(folder)
        changed = {path for path in before if after[path] != before[path]}
        assert changed == {"pyproject.toml", "gateway.yaml", ".gitlab-ci.yml"}
        assert toml(folder)["tool"]["uv"]["sources"] == {"notes": {"path": "services/notes", "editable": True}}
        assert len(yaml.safe_load(after[".gitlab-ci.yml"])["include"]) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["Parcels"], "NAME 'Parcels' can't be used"),
            (["p"], "NAME 'p' can't be used"),
            (["json"], "no word of Python or of its standard library"),
            (["next"], "the code around it has another next"),
            (["schema"], "the code around it has another schema"),
            (["flask"], "an installed package has it"),
            (["parcels", "--aggregate", "table"], "--aggregate 'table' can't be used"),
            (["parcels", "--registry", "ours.example.org"], "is no OCI registry: write it like oci://"),
        ],
    )
    def test_names_that_can_not_be(self, folder, arguments, words):
        assert words in refused(*arguments)
        assert contents(folder) == {}

    @pytest.mark.parametrize(
        ("path", "text", "words"),
        [
            ("src/parcels/mine.py", "", "src/parcels exists already; nothing was written"),
            ("chart/Chart.yaml", "", "chart exists already; nothing was written"),
            ("Dockerfile", "", "Dockerfile exists already; nothing was written"),
            ("gateway.yaml", "", "gateway.yaml exists already; nothing was written"),
            ("tests/test_api.py", "", "tests/test_api.py exists already; nothing was written"),
            ("src", "", "src is a file, and has to be a folder; nothing was written"),
            ("tests/conftest.py", "", 'Add: pytest_plugins = ["slipway_chassis.testing.plugin"]'),
            (".gitlab-ci.yml", "a: [\n", ".gitlab-ci.yml is no YAML"),
            ("pyproject.toml", "[project\n", "pyproject.toml can't be read"),
            ("pyproject.toml", "project = 3\n", "pyproject.toml: project is no table"),
            ("pyproject.toml", "[tool]\nslipway = 3\n", "tool.slipway is no table"),
            ("pyproject.toml", "[tool.slipway]\nservices = {}\n", 'Add: gateway = "gateway.yaml"'),
            ("pyproject.toml", '[tool.slipway]\ngateway = "g"\n', "Add: [tool.slipway.services]"),
            ("pyproject.toml", WORKSPACE, "edge.yaml, the gateway's file by pyproject.toml, is not there"),
            ("pyproject.toml", WORKSPACE.replace("edge.yaml", "/etc/hosts"), "/etc/hosts, the gateway's file by"),
        ],
    )
    def test_what_is_there_is_looked_at_before_anything_is_written(self, folder, path, text, words):
        (folder / ".git").mkdir()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        before = contents(folder)

        assert words in refused("parcels")
        assert contents(folder) == before

    def test_a_folder_that_is_full_of_something_else_is_no_project(self, folder):
        """A home folder, say, in which nobody would find forty files again."""
        for name in ("Desktop", "Documents", "letter.txt", ".bashrc"):
            (folder / name).write_text("")

        assert "has other things (Desktop, Documents, letter.txt) and is no git repository" in refused("parcels")
        assert len(contents(folder)) == 4

        (folder / ".git").mkdir()
        assert new("parcels").exit_code == 0

    def test_a_folder_of_a_project_is_no_place_for_another(self, workspace, monkeypatch):
        (workspace / "services").mkdir()
        monkeypatch.chdir(workspace / "services")

        assert "is a Slipway project, and this is a folder in it" in refused("parcels")

    def test_a_gateway_that_knows_the_name_is_told(self, workspace):
        (workspace / "edge.yaml").write_text(EDGE.replace("users", "parcels"))
        before = contents(workspace)

        assert "edge.yaml has an upstream parcels" in refused("parcels")
        assert contents(workspace) == before

    def test_a_full_disk_leaves_what_was_there(self, workspace, monkeypatch):
        before, replace = contents(workspace), writing._replace

        def full(staged, target):
            replace(staged, target)
            if target.name == "edge.yaml":
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(writing, "_replace", full)

        assert "No space left on device; nothing was written" in refused("parcels")
        assert contents(workspace) == before
