"""The local runtime's worker: who may have one, what an earlier run without one left, and what all of it takes."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest
from pydantic import ValidationError

from slipway_operator.runtimes.local import memory
from slipway_operator.runtimes.local.executing import resumed
from slipway_operator.runtimes.local.layout import ADMIN, INNER, PORTS_PER_SERVICE
from slipway_operator.runtimes.local.memory import taken
from slipway_operator.runtimes.local.state import Kept, ServiceState
from slipway_operator.runtimes.local.system import Service, read
from slipway_operator.runtimes.local.versions import Version, working_tree
from slipway_operator.spec.fields import COMPONENTS, CONSUMING
from support.repository import ROOT

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TWO_PROCESSES = ("migrate", "http", "relay", "consumer")


def test_a_service_has_a_worker_unless_it_says_otherwise():
    assert Service(name="orders").processes == ("migrate", "http", "worker")
    assert Service(name="orders", processes=TWO_PROCESSES).processes == TWO_PROCESSES
    assert not {"relay", "consumer"} & {process for each in read(ROOT).services for process in each.processes}


@pytest.mark.parametrize("more", ["relay", "consumer"])
def test_a_worker_beside_a_part_of_it_is_refused(more):
    with pytest.raises(ValidationError, match="worker is relay and consumer in one process: remove it, or the two"):
        Service(name="orders", processes=("http", "worker", more))


def test_each_process_has_ports_of_its_own():
    offsets = [0, 1, *ADMIN.values(), *INNER.values()]

    assert ADMIN.keys() == set(COMPONENTS)
    assert len(set(offsets)) == len(offsets)
    assert max(offsets) < PORTS_PER_SERVICE


@pytest.mark.parametrize("process", ["worker", "consumer", "relay", "http"])
def test_what_consumes_is_known(process):
    version = Version(hash="1" * 8, label="1", processes=(process,), made=NOW)

    assert version.consumes == (process in CONSUMING)


def test_a_working_tree_that_had_two_processes_goes_on_with_a_worker():
    """Versions that were copied then keep the processes they had."""
    service = Service(name="orders")
    dev = working_tree(service)
    copied = Version(hash="1" * 8, label="1", processes=TWO_PROCESSES, made=NOW)
    wanted = {"http": 1, "relay": 1, "consumer": 1}
    left = ServiceState(
        versions={each.hash: Kept(revision=1, wanted=wanted) for each in (dev, copied)}, active=dev.hash
    )

    state = resumed(left, {each.hash: each for each in (dev, copied)})

    assert state.versions[dev.hash].wanted == {"http": 1}, "the planner starts its worker"
    assert state.versions[copied.hash].wanted == wanted


class TestMemory:
    def test_it_is_that_of_all_of_them_and_says_how_it_was_measured(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            one, both = ([psutil.Process(pid) for pid in pids] for pids in ([os.getpid()], [os.getpid(), child.pid]))
            assert taken(both).megabytes >= taken(one).megabytes > 1
        finally:
            child.kill()
            child.wait()
        if psutil.LINUX:
            assert taken(one).how == "proportional set size"

    def test_a_process_that_is_gone_takes_none(self):
        assert taken([process(error=psutil.NoSuchProcess(1))]).megabytes == 0

    def test_one_that_may_not_be_looked_into_counts_with_what_is_resident(self, monkeypatch):
        monkeypatch.setattr(memory.psutil, "LINUX", True)

        assert taken([process(pss=30), process(error=psutil.AccessDenied(1), rss=20)]).megabytes == 50

    def test_elsewhere_it_is_the_resident_set_size(self, monkeypatch):
        monkeypatch.setattr(memory.psutil, "LINUX", False)

        found = taken([process(pss=30, rss=40), process(pss=30, rss=40)])

        assert (found.megabytes, found.how) == (80, "resident set size, shared pages counted once per process")


def process(*, pss=0, rss=0, error=None):
    def full():
        if error:
            raise error
        return SimpleNamespace(pss=pss * 1_000_000)

    def resident():
        if isinstance(error, psutil.NoSuchProcess):
            raise error
        return SimpleNamespace(rss=rss * 1_000_000)

    return SimpleNamespace(memory_full_info=full, memory_info=resident)
