"""All or nothing: whatever ends a write in the middle, the folder is as it was before."""

import signal
import threading

import pytest

from slipway_chassis.scaffold import writing
from slipway_chassis.scaffold.writing import write

NEW = {"src/parcels/api.py": "a", "src/parcels/deep/er/b.py": "b", "tests/c.py": "c", "Dockerfile": "d"}
CHANGED = {"pyproject.toml": "after", "edge/gateway.yaml": "after"}


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "project"
    (root / "edge").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "real.toml").write_text("before")
    (root / "real.toml").chmod(0o640)
    (root / "pyproject.toml").symlink_to("real.toml")
    (root / "edge/gateway.yaml").write_text("before")
    return root


def state(root):
    return {
        str(path.relative_to(root)): (path.is_symlink(), path.stat().st_mode, path.is_file() and path.read_text())
        for path in root.rglob("*")
    }


def test_all_is_written_and_links_and_modes_stay(root):
    write(root, NEW, CHANGED)

    assert {path: (root / path).read_text() for path in NEW | CHANGED} == NEW | CHANGED
    assert (root / "pyproject.toml").is_symlink()
    assert (root / "real.toml").stat().st_mode & 0o777 == 0o640
    assert not list(root.glob(".slipway-new-*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("effect", ["before", "after"])
def test_interrupted_at_any_write_the_folder_is_as_before(root, monkeypatch, error, effect):
    before, replace = state(root), writing._replace

    for broken in range(len(NEW | CHANGED)):
        left = iter(range(broken, -1, -1))

        def interrupted(staged, target, left=left):
            last = next(left) == 0
            if not last or effect == "after":
                replace(staged, target)
            if last:
                raise error

        monkeypatch.setattr(writing, "_replace", interrupted)
        with pytest.raises((KeyboardInterrupt, OSError)):
            write(root, NEW, CHANGED)
        assert state(root) == before, f"write {broken}"


def test_a_file_that_is_there_meanwhile_stays(root):
    (root / "Dockerfile").write_text("theirs")
    before = state(root)

    with pytest.raises(FileExistsError, match="Dockerfile is there meanwhile"):
        write(root, NEW, CHANGED)

    assert state(root) == before


def signalled_in_another_thread(number):
    """The system gives a process' signal to any of its threads. This one has taken it when it has ended; one that comes
    later would interrupt whatever test runs then.
    """
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    signal.pthread_kill(thread.ident, number)
    ends.set()
    thread.join()


def test_ctrl_c_in_the_middle_is_heard_when_all_is_written(root, monkeypatch):
    replace = writing._replace

    def with_a_signal(staged, target):
        signalled_in_another_thread(signal.SIGINT)
        replace(staged, target)

    monkeypatch.setattr(writing, "_replace", with_a_signal)
    with pytest.raises(KeyboardInterrupt):
        write(root, NEW, CHANGED)

    assert {path: (root / path).read_text() for path in NEW | CHANGED} == NEW | CHANGED
