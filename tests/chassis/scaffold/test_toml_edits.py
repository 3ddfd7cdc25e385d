"""Whatever form tables and lists of a pyproject.toml have, they get the entry, and comments stay."""

import tomllib

import pytest

from slipway_chassis.errors import ConfigurationError
from slipway_chassis.scaffold.toml_edits import adding, changed, layering

SERVICE = {"tool": {"slipway": {"services": {"parcels": {"processes": ["migrate", "http"]}}}}}


def extended(text, additions):
    return changed("pyproject.toml", text, *adding(additions))


def ruled(text, others=("users", "orders")):
    return changed("pyproject.toml", text, layering("parcels", others))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tool.slipway]\nservices = {users = {}}\n",
        "[tool.slipway]\nservices.users = {}\ngateway = 'g' # ours\n",
        "tool.slipway.services.users.processes = ['http'] # ours\n",
        "[tool.slipway.services.users]\nx = 1 # ours\n\n[tool.ruff]\nline-length = 100\n",
        "[tool.slipway]\ngateway = 'g'\n[tool.ruff]\n[tool.slipway.services.users]\n# ours\n[project]\nname = 'x'\n",
    ],
)
def test_a_service_is_added_to_each_form_of_a_table(text):
    after = extended(text, SERVICE)

    held, before = tomllib.loads(after), tomllib.loads(text)
    assert held["tool"]["slipway"]["services"].pop("parcels") == {"processes": ["migrate", "http"]}
    assert held == before or not before
    assert after.count("# ours") == text.count("# ours")


@pytest.mark.parametrize(
    "listed",
    ['["a"]', '[\n  "a", # why\n]', '[\n  "a" # why\n]', '[\n    "a"\n]'],
)
def test_a_list_is_extended_once(listed):
    additions = {"dependency-groups": {"dev": ["a", "parcels"]}}

    after = extended(f"[dependency-groups]\ndev = {listed}\n", additions)

    assert tomllib.loads(after)["dependency-groups"]["dev"] == ["a", "parcels"]
    assert after.count("# why") == listed.count("# why")
    assert extended(after, additions) == after


def test_a_requirement_and_a_marker_are_the_same_in_other_words():
    text = """[project]
dependencies = ["slipway-chassis==0.2.0"]
[tool.pytest.ini_options]
markers = ["integration: x"]
"""

    after = extended(
        text,
        {
            "project": {"name": "parcels", "dependencies": ["slipway-chassis>=0.2"]},
            "tool": {"pytest": {"ini_options": {"markers": ["integration: y"]}}},
        },
    )

    assert tomllib.loads(after) == tomllib.loads(text) | {
        "project": {"name": "parcels", "dependencies": ["slipway-chassis==0.2.0"]}
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool]\nslipway = 3\n", "tool.slipway is no table"),
        ("[project]\ndependencies = 'x'\n", "project.dependencies is no list"),
    ],
)
def test_something_else_in_its_place_is_told(text, words):
    with pytest.raises(ConfigurationError, match=words):
        extended(text, SERVICE | {"project": {"dependencies": ["slipway-chassis"]}})


@pytest.mark.parametrize(
    "contracts",
    [
        "contracts = []\n",
        'contracts = [{name = "x", type = "independence", modules = ["users", "orders"]}]\n',
        'contracts = [\n  {name = "x", type = "independence", modules = ["users", "orders"]}, # why\n]\n',
        '[[tool.importlinter.contracts]]\nname = "x"\ntype = "independence"\nmodules = ["users", "orders"]\n',
        "",
    ],
)
def test_import_rules_of_each_form_know_it(contracts):
    text = f'[tool.importlinter]\nroot_packages = ["users", "orders"]\n{contracts}\n[tool.ruff]\n'

    rules = tomllib.loads(ruled(text))["tool"]["importlinter"]

    assert rules["root_packages"] == ["users", "orders", "parcels"]
    assert rules["contracts"][-1]["layers"][0] == "parcels.bootstrap"
    assert [one["modules"] for one in rules["contracts"][:-1]] == [["users", "orders", "parcels"]] * ("x" in contracts)


def test_it_stands_where_all_others_stand():
    text = """[tool.importlinter]
root_packages = ["users", "orders"]
[[tool.importlinter.contracts]]
source_modules = ["chassis", "users.domain", "orders.domain", "orders.api"]
forbidden_modules = ["users"]
"""
    rule = tomllib.loads(ruled(text))["tool"]["importlinter"]["contracts"][0]
    assert rule == {
        "source_modules": ["chassis", "users.domain", "orders.domain", "orders.api", "parcels.domain"],
        "forbidden_modules": ["users"],
    }


@pytest.mark.parametrize("text", ["[project]\n", '[tool.importlinter]\nroot_package = "users"\n'])
def test_where_there_are_no_rules_for_several_packages_there_are_none_afterwards(text):
    assert ruled(text) == text
