import re

import pytest
import yaml

from support.charts import CASES, CHARTS, case_id, helm, render
from support.repository import ROOT


@pytest.fixture(name="case", params=CASES, ids=case_id)
def _case(request):
    return request.param


@pytest.fixture(name="objects")
def _objects(case):
    return render(case.parent.parent.name, case)


@pytest.fixture(scope="session", name="chart")
def _chart(tmp_path_factory):
    """Of an application that is not on the chassis, as docs/charts.md has it."""
    [values] = re.findall(r"```yaml\n(image: .*?)```", (ROOT / "docs" / "charts.md").read_text(), re.DOTALL)
    folder = tmp_path_factory.mktemp("hello")
    library = {"name": "service", "version": "0.2.0", "repository": f"file://{CHARTS}/service"}
    about = {"apiVersion": "v2", "name": "hello", "version": "0.1.0", "appVersion": "1.0", "dependencies": [library]}
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
    (folder / "values.yaml").write_text(values)
    (folder / "templates" / "all.yaml").write_text('{{ include "service.all" . }}\n')
    fetched = helm("dependency", "update", folder)
    assert fetched.returncode == 0, fetched.stderr
    return folder
