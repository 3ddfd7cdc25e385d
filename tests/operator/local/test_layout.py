"""Each project has a folder and ports of its own."""

import socket
import stat
from contextlib import ExitStack

import pytest

from slipway_chassis.config import MachineSettings
from slipway_operator.runtimes.local import cli, layout
from slipway_operator.runtimes.local.layout import (
    FOR_ALL,
    Layout,
    default_data,
    former_data,
    make_data,
    with_free_ports,
)
from slipway_operator.runtimes.local.system import Service

SERVICES = [Service(name="users")]


def listening(stack, port):
    stack.enter_context(socket.create_server(("127.0.0.1", port)))


@pytest.fixture(name="free")
def _free(monkeypatch):
    """Numbers that no other test of this machine uses."""
    monkeypatch.setattr(layout, "FIRST_GATEWAY", 24080)
    monkeypatch.setattr(layout, "FIRST_BASE", 24100)
    return layout


def test_a_second_project_gets_other_ports_and_keeps_them(tmp_path, free):
    with ExitStack() as first:
        listening(first, 24080)
        listening(first, 24103)
        second = with_free_ports(tmp_path, SERVICES, gateway=None, base=None)
    again = with_free_ports(tmp_path, SERVICES, gateway=None, base=None)

    assert (second.gateway, second.base) == (24081, 25100)
    assert again == second


def test_ports_that_are_asked_for_are_taken_or_refused(tmp_path, free):
    with ExitStack() as stack:
        listening(stack, 24090)
        asked = with_free_ports(tmp_path, SERVICES, gateway=24090, base=26100)

    assert (asked.gateway, asked.base) == (24090, 26100)


def test_data_lies_beside_the_project_and_is_nobodys_source(tmp_path):
    data = default_data(tmp_path)
    make_data(data)

    assert data == tmp_path / ".slipway"
    assert (data / ".gitignore").read_text() == "*\n"


def test_root_has_databases_elsewhere_where_their_user_may_not_enter(tmp_path, monkeypatch):
    projects = [tmp_path / "one" / "shop", tmp_path / "two" / "shop"]
    for project in projects:
        make_data(default_data(project))
        project.chmod(0o700)

    def folders(*, root):
        monkeypatch.setattr(layout, "is_root", lambda: root)
        return [Layout(default_data(each), gateway=1, base=1).postgresql_data for each in projects]

    assert folders(root=False) == [each / ".slipway" / "postgresql" for each in projects]
    first, second = folders(root=True)
    assert first.parent == second.parent == FOR_ALL
    assert first != second


def test_data_that_are_not_there_yet_lie_where_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "is_root", lambda: True)
    tmp_path.chmod(0o755)
    closed = [each for each in tmp_path.parents if not each.stat().st_mode & stat.S_IXOTH]

    folder = Layout(tmp_path / "new" / "data", gateway=1, base=1).postgresql_data

    assert (folder == tmp_path / "new" / "data" / "postgresql") == (not closed)


def test_data_of_all_projects_is_told_once_and_not_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(layout, "is_root", lambda: False)
    former = former_data(MachineSettings(xdg_state_home=str(tmp_path)))
    (former / "postgresql").mkdir(parents=True)
    data = tmp_path / "project" / ".slipway"

    cli._tell_of_former_data(data, former)
    told = capsys.readouterr().out
    make_data(data)
    cli._tell_of_former_data(data, former)

    assert f"slipway up --data {former}" in told
    assert capsys.readouterr().out == ""
