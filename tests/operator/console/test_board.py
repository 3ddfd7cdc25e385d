"""What is kept of each source while somebody watches: changes, deadlines, and nothing while nobody looks."""

import threading
import time

import pytest

from slipway_chassis.errors import ChassisError
from slipway_operator.console.board import Board, Source
from slipway_operator.console.model import ProcessView

SECONDS = 10.0


def until(condition):
    ends = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.02)
    return found


@pytest.fixture(name="board_of")
def _board_of():
    boards = []

    def board_of(*sources):
        boards.append(Board(sources))
        return boards[-1]

    yield board_of
    for board in boards:
        board.close()


def test_nobody_is_asked_while_nobody_watches(board_of):
    looks, rests = [], []
    board = board_of(Source("a", lambda: looks.append(1), rest=lambda: rests.append(1)))
    assert not looks

    with board.watched():
        until(lambda: looks)
    until(lambda: rests)
    # The look that went on has ended, and no thread stands anywhere but where it waits for a watcher.
    count = len(looks)
    with board.watched():
        until(lambda: len(looks) > count)


def test_dataclasses_become_json_and_equal_looks_are_no_change(board_of):
    board = board_of(Source("a", lambda: [ProcessView("orders http", "dev", "ready", 7)]))
    with board.watched():
        version, found = board.since(0, SECONDS)
        assert found["a"]["value"][0]["name"] == "orders http"
        assert found["a"]["trouble"] == ""
        assert board.since(version, 0.0) == (version, {})
        assert board.since(version + 7, 0.0)[1] == found  # a number of another board


def test_a_source_that_fails_is_a_sentence_and_its_last_value_stays(board_of):
    answers = [lambda: [1], _raises(ChassisError("PostgreSQL is away")), _raises(ZeroDivisionError("1/0"))]

    def look():
        return (answers.pop(0) if len(answers) > 1 else answers[0])()

    board = board_of(Source("a", look))
    with board.watched():
        until(lambda: board.since(0, 0.1)[1].get("a", {}).get("trouble") == "PostgreSQL is away")
        assert board.since(0, 0.1)[1]["a"]["value"] == [1]
        until(lambda: board.since(0, 0.1)[1]["a"]["trouble"] == "ZeroDivisionError: 1/0")


def _raises(error):
    def raises():
        raise error

    return raises


def test_a_slow_source_is_told_of_and_holds_up_no_other(board_of):
    released, looks = threading.Event(), []
    slow = Source("slow", lambda: released.wait(SECONDS), deadline=0.2)
    board = board_of(slow, Source("quick", lambda: looks.append(1) or len(looks)))
    with board.watched():
        until(lambda: "no answer within 0.2 s" in board.since(0, 0.6)[1].get("slow", {}).get("trouble", ""))
        before = len(looks)
        until(lambda: len(looks) > before)
        released.set()
        until(lambda: board.since(0, 0.1)[1]["slow"]["trouble"] == "")


def test_a_whole_look_is_newer_than_the_question(board_of):
    counted = []
    board = board_of(Source("a", lambda: counted.append(1) or len(counted)))
    first = board.whole(SECONDS)["a"]["value"]
    assert board.whole(SECONDS)["a"]["value"] > first


def test_the_end_wakes_who_waits(board_of):
    board = board_of(Source("a", lambda: 1))
    with board.watched():
        version, _ = board.since(0, SECONDS)
        waiting = threading.Thread(target=board.since, args=(version, 60.0))
        waiting.start()
        board.close()
        waiting.join(SECONDS)
        assert not waiting.is_alive()
