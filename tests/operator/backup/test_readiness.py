"""When a restored service counts as ready: RTO ends there."""

from datetime import UTC, datetime

import pytest

from slipway_operator.backup.restoring import is_up
from slipway_operator.runtimes.local.versions import Version
from slipway_operator.spec.status import MicroserviceStatus

NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)


def version(*processes):
    return Version(hash="1" * 8, label="1", processes=processes, made=NOW)


@pytest.mark.parametrize(
    ("processes", "readiness", "consumers", "suspended", "up"),
    [
        (("http", "worker"), "1/1", "1/1 of 11111111", "None", True),
        (("http", "worker"), "1/1", "1/1 of 11111111", "All", False),
        (("http", "worker"), "0/0", "", "None", False),  # the first look after the stop: nothing is wanted yet
        (("http", "worker"), "1/1", "", "None", False),
        (("http", "worker"), "1/1", "0/1 of 11111111", "None", False),
        (("http", "worker"), "0/1", "1/1 of 11111111", "None", False),
        (("http",), "1/1", "", "None", True),
        (("worker",), "", "1/1 of 11111111", "None", True),
    ],
)
def test_every_process_that_the_version_has_is_wanted_and_ready(processes, readiness, consumers, suspended, up):
    status = MicroserviceStatus(readiness=readiness, consumers=consumers, suspended=suspended)

    assert is_up(version(*processes), status) == up
