"""Levels of a running process follow a file."""

import logging
import re

import pytest

from slipway_chassis.config import load
from slipway_chassis.telemetry import correlation
from slipway_chassis.telemetry.levels import Levels, LevelSettings


class Recorder:
    ratio = 0.1


@pytest.fixture(name="levels")
def _levels(tmp_path):
    root = logging.getLogger()
    before = root.level
    recorder = Recorder()
    correlation.record_with(recorder)
    began = {"LOG_LEVEL": "INFO", "TRACE_SAMPLE_RATIO": "0.1", "LEVELS_FILE": str(tmp_path / "levels")}
    levels = Levels(load(LevelSettings, began))

    def say(text):
        if text is None:
            (tmp_path / "levels").unlink()
        else:  # as the kubelet does: another file under the name
            (tmp_path / "new").write_bytes(text)
            (tmp_path / "new").replace(tmp_path / "levels")
        levels.look()
        return logging.getLevelName(root.level), recorder.ratio

    root.setLevel("INFO")
    yield say
    root.setLevel(before)
    correlation.record_with(None)


def test_levels_follow_the_file_and_go_back_with_it(levels):
    assert levels(b"LOG_LEVEL=DEBUG\n") == ("DEBUG", 0.1)
    assert levels(b"TRACE_SAMPLE_RATIO=1 LOG_LEVEL=ERROR") == ("ERROR", 1.0)
    assert levels(b"TRACE_SAMPLE_RATIO=0") == ("INFO", 0.0)
    assert levels(None) == ("INFO", 0.1)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (b"DEBUG", "'DEBUG' is not NAME=VALUE"),
        (b"LOG_LEVEL=LOUD", "LOG_LEVEL is wrong"),
        (b"LOG_LEVEL=DEBUG TRACE_SAMPLE_RATIO=2", "TRACE_SAMPLE_RATIO is wrong"),
        (b"LOG_LEVEL=DEBUG DATABASE_URL=x", "DATABASE_URL is no level"),
        (b"\xff" * 100_000, "is not NAME=VALUE"),
    ],
)
def test_a_wrong_file_changes_nothing_and_is_told_once(levels, caplog, wrong, sentence):
    assert levels(b"LOG_LEVEL=WARNING") == ("WARNING", 0.1)
    caplog.clear()

    assert levels(wrong) == ("WARNING", 0.1)
    assert levels(wrong) == ("WARNING", 0.1)

    [line] = caplog.records
    assert re.search(re.escape(sentence), line.getMessage())


def test_it_is_said_where_a_ratio_has_no_effect(levels, caplog):
    correlation.record_with(None)
    levels(b"TRACE_SAMPLE_RATIO=1")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is not set" in caplog.text
