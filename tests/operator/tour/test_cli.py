import os

from click.testing import CliRunner

from slipway_operator.tour import cli
from slipway_operator.tour.lesson import read_lessons
from support.repository import ROOT


def test_what_no_release_takes_away_can_neither_be_broken_nor_mended(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    lessons = [each for each in read_lessons(ROOT) if not (each.run and each.run.by_release)]
    assert all(any(kind) for kind in zip(*((each.run, each.checks, each.containers) for each in lessons), strict=True))

    for number in (each.number for each in lessons):
        for command in (cli.break_, cli.mend):
            done = CliRunner().invoke(command, [str(number), "--data", os.fspath(tmp_path)])
            assert done.exit_code != 0
            assert f"slipway tour {number} shows it" in str(done.exception)
