"""NOTES.txt: after each install the next command is told. `helm template` leaves it out: a copy has it as an object."""

import shutil

import pytest
import yaml

from support.charts import CASES, case_id, helm, of_kind

pytestmark = pytest.mark.charts
AS_AN_OBJECT = """{{- define "notes" }}%s{{ end }}
kind: Notes
text: {{ include "notes" . | toJson }}
"""


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_notes_say_the_next_command(case, tmp_path):
    chart, shape = case.parent.parent, case.stem.removesuffix("-values")
    copy = shutil.copytree(chart, tmp_path / chart.name)
    notes = copy / "templates" / "NOTES.txt"
    (copy / "templates" / "notes.yaml").write_text(AS_AN_OBJECT % notes.read_text())
    done = helm("template", "r", copy, "-f", case, "-n", "shop")
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    [said] = [each["text"] for each in of_kind(objects, "Notes")]

    commands = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert commands, said
    assert all(line.startswith(("kubectl ", "helm ")) for line in commands), commands
    assert all("-n shop" in line or "--all-namespaces" in line for line in commands), commands
    # What can be tested is, and a migration that failed is tried again.
    assert ("helm -n shop test r" in commands) == bool(of_kind(objects, "Pod")), "a promise that nothing keeps"
    assert ("delete job" in said) == bool(of_kind(objects, "Job") and chart.name != "platform")
    version = {each["metadata"]["labels"].get("app.kubernetes.io/version") for each in of_kind(objects, "Deployment")}
    assert shape == "managed" or chart.name == "platform" or version <= set(said.split()), said
