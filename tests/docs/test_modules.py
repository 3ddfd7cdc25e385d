"""The picture of the modules is that of the import contracts."""

import runpy
import tomllib

from support.repository import ROOT

DRAWING = runpy.run_path(str(ROOT / "ci" / "module_map.py"))
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_the_page_is_made_from_the_contracts():
    assert (ROOT / "docs" / "modules.md").read_text() == DRAWING["page"](CONTRACTS), "make generate"


def test_every_contract_is_on_it():
    page = DRAWING["page"](CONTRACTS)
    assert [each["name"] for each in CONTRACTS if each["name"] not in page and each["type"] != "layers"] == []
    assert page.count("```mermaid") == len(
        {tuple(map(DRAWING["_words"], c["layers"])) for c in CONTRACTS if c["type"] == "layers"}
    )
