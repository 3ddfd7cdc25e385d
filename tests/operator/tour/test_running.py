"""What a lesson does in which of its two runs, without a shop."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from slipway_operator.tour import running
from slipway_operator.tour.lesson import Lesson
from slipway_operator.tour.measuring import Measured


class Shop:
    """Tells what it was asked to do."""

    layout = SimpleNamespace(data="data", gateway=1, gateway_admin=2)

    def __init__(self, done):
        self.done = done

    def port_of(self, place):
        return 8080 if place == "gateway" else 9090

    def addresses(self):
        return {}

    def lacks_any(self, service):
        return False

    def active(self, service):
        return "dev"

    def take_away(self, lesson):
        self.done.append("taken away")

    def put_back(self, service, label=None):
        self.done.append(f"{service} is {label or 'whole'}")

    def release_next(self, service, label):
        self.done.append(f"{service} is released")


@pytest.fixture(name="done")
def _done(monkeypatch):
    done = []

    class Visit:
        def __init__(self, load, *, gateway, port, admin):
            done.append(f"customers ask {port}")

        def run(self, meanwhile):
            meanwhile()
            return []

        def counted(self, outcomes):
            return Measured({})

    @contextmanager
    def program(lesson, addresses):
        yield 7070

    monkeypatch.setattr(running, "Visit", Visit)
    monkeypatch.setattr(running, "program_of", program)
    for name in ("kill", "restart"):
        monkeypatch.setattr(running.faults, name, lambda _, what, name=name: done.append(f"{name} {what}"))
    return done


def both_runs(tmp_path, done, **run):
    text = {"en": "-", "zh": "-"}
    about = {"number": 2, "name": "x", "folder": tmp_path, "title": text, "problem": text, "without": text}
    declared = {"service": "orders", "harm": "refused", "load": {"requests": ["GET /"]}} | run
    lesson = running.LessonRun(Lesson.model_validate(about | {"run": declared}), Shop(done))
    lesson.with_it()
    done.append("--")
    lesson.take_away()
    lesson.without_it()
    lesson.put_back()
    return done


def test_a_pattern_of_a_version_is_released_away_and_the_same_happens_again(tmp_path, done):
    assert both_runs(tmp_path, done, fault=[{"kill": "orders http"}]) == [
        "customers ask 8080", "kill orders http", "--",
        "taken away", "customers ask 8080", "kill orders http", "orders is whole",
    ]  # fmt: skip


def test_a_way_of_doing_is_taken_away_by_what_happens_instead(tmp_path, done):
    told = both_runs(tmp_path, done, naive=False, fault=[{"release": "orders"}], instead=[{"restart": "orders http"}])

    assert told == [
        "customers ask 8080", "orders is released", "orders is dev", "--",
        "customers ask 8080", "restart orders http",
    ]  # fmt: skip


def test_the_gateway_is_taken_away_by_a_program_that_customers_ask_in_its_place(tmp_path, done):
    assert both_runs(tmp_path, done, beside=True) == ["customers ask 8080", "--", "customers ask 7070"]
