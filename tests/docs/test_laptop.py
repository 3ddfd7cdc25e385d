"""The project that docs/laptop.md shows for an application without the chassis is read as it stands there."""

import re

from slipway_operator.runtimes.local.system import read
from support.repository import ROOT

PAGE = (ROOT / "docs" / "laptop.md").read_text()


def test_the_project_of_the_page_wants_neither_database_nor_broker(tmp_path):
    shown = next(
        each for each in re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "command" in each
    )
    (tmp_path / "pyproject.toml").write_text(shown)

    [service] = read(tmp_path).services

    assert (service.command, service.health) == (("gunicorn", "app:app"), "/health")
    assert (service.processes, service.wants_database) == (("http",), False)
