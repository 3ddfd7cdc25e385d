"""The chart of a new project renders and lints with the library chart as it is packaged."""

import pytest
import yaml
from click.testing import CliRunner

from slipway_chassis.cli import cli
from support.charts import CHARTS, helm

pytestmark = pytest.mark.charts


@pytest.mark.parametrize(("options", "processes"), [([], {"http", "relay"}), (["--http-only"], {"http"})])
def test_each_case_of_its_values_renders(tmp_path, monkeypatch, options, processes):
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(cli, ["new", "service", "parcels", *options])
    packaged = helm("package", CHARTS / "service", "--destination", "chart/charts")
    assert (made.exit_code, packaged.returncode) == (0, 0), made.output + packaged.stderr

    cases = sorted(tmp_path.glob("chart/ci/*-values.yaml"))
    assert {case.name for case in cases} == {"full-values.yaml", "plain-values.yaml"}
    for case in cases:
        rendered = helm("template", "parcels", "chart", "-f", case)
        linted = helm("lint", "chart", "-f", case)
        assert (rendered.returncode, linted.returncode) == (0, 0), rendered.stderr + linted.stdout
        objects = [one for one in yaml.safe_load_all(rendered.stdout) if one]
        names = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
        more = {"consumer"} if case.name.startswith("full") and not options else set()
        assert names == {f"parcels-{process}" for process in processes | more}
        # Where the gateway's file of the project looks for it.
        assert "parcels" in {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
