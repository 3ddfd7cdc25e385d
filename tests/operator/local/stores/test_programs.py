"""Where the stores' programs are found, and what is said of one that is missing."""

import re

import pytest

from slipway_chassis.config import MachineSettings
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.stores import programs
from slipway_operator.runtimes.local.stores.stores import Stores
from support.repository import ROOT

STORES = ROOT / "operator" / "src" / "slipway_operator" / "runtimes" / "local" / "stores"


def put(folder, name):
    folder.mkdir(parents=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_the_path_comes_before_what_was_built(tmp_path):
    built = put(tmp_path / "cache" / "tools" / "jaeger-1.76.0-abcdef", "jaeger")
    machine = MachineSettings(path="", slipway_cache=str(tmp_path / "cache"))
    assert programs.found(programs.JAEGER, machine) == built

    own = put(tmp_path / "bin", "jaeger")
    machine = MachineSettings(path=str(tmp_path / "bin"), slipway_cache=str(tmp_path / "cache"))
    assert programs.found(programs.JAEGER, machine) == own


def test_distributions_names_are_known(tmp_path):
    debian = put(tmp_path / "bin", "prometheus-alertmanager")
    machine = MachineSettings(path=str(tmp_path / "bin"), slipway_cache=str(tmp_path))

    assert programs.found(programs.ALERTMANAGER, machine) == debian
    assert programs.found(programs.VICTORIA_LOGS, machine) is None


@pytest.mark.parametrize("program", programs.ALL, ids=lambda program: program.name)
def test_a_missing_one_is_a_sentence_with_what_gets_it(program, tmp_path):
    elsewhere = programs.missing(program, tmp_path)
    here = programs.missing(program, ROOT)

    assert elsewhere == f"there is no program {program.name}, so {program.lacking}; it comes by {program.cure}"
    assert here.endswith(f"; ci/tools/install.sh {program.name} builds it")
    assert re.search(rf"^    {program.name}\) echo ", (ROOT / "ci" / "tools" / "install.sh").read_text(), re.MULTILINE)


def test_what_go_is_told_to_install_is_what_is_built_here():
    pins = (ROOT / "ci" / "versions.env").read_text()

    for module, pin in (
        (programs.ALERTMANAGER_MODULE, "ALERTMANAGER_VERSION"),
        (programs.VICTORIA_LOGS_MODULE, "VICTORIA_LOGS_VERSION"),
    ):
        assert f"\n{pin}={module.partition('@v')[2]}" in pins


def test_the_rules_are_those_of_the_cluster():
    assert (STORES / "rules.yaml").read_text() == (ROOT / "k8s/monitoring/rules.yaml").read_text(), "run: make generate"


def test_without_any_program_each_is_told_once_and_nobody_is_sent_traces(tmp_path):
    told = []
    machine = MachineSettings(path=str(tmp_path), slipway_cache=str(tmp_path / "cache"))
    layout = Layout(tmp_path / ".slipway", gateway=1, base=1)
    stores = Stores(layout, project=tmp_path, machine=machine, tell=lambda *said: told.append(said))
    stores.start(list)
    stores.stop()

    assert told == [(program.title, programs.missing(program, tmp_path)) for program in programs.ALL]
    assert stores.settings == {}
