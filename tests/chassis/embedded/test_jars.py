"""What a Kafka broker consists of is fetched once, checked, and taken up again where a fetch was interrupted."""

import hashlib
import http.server
import threading

import pytest

from slipway_chassis.config import MachineSettings
from slipway_chassis.embedded import jars, maven
from slipway_chassis.embedded.jars import Jar
from slipway_chassis.errors import EmbeddedError

CONTENT = {f"/org/example/part-{n}/1.{n}/part-{n}-1.{n}.jar": f"jar {n}".encode() * 1000 for n in range(6)}
LOCKED = [
    Jar(f"org.example:part-{n}:1.{n}", hashlib.sha256(content).hexdigest())
    for n, content in enumerate(CONTENT.values())
]


class Repository:
    """A Maven repository; ``answers`` replaces what it says to a path."""

    def __init__(self):
        self.asked, self.answers = [], {}
        repository = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                repository.asked.append(self.path)
                found = repository.answers.get(self.path, CONTENT.get(self.path))
                content = found(self) if callable(found) else found
                self.send_response(200 if content is not None else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()


@pytest.fixture(name="repository")
def _repository(monkeypatch):
    monkeypatch.setattr(jars, "locked", lambda: LOCKED)
    monkeypatch.setattr(maven, "TRIES", 2)
    with Repository() as running:
        yield running


@pytest.fixture(name="machine")
def _machine(tmp_path, repository):
    return MachineSettings(home=str(tmp_path), maven_mirror=repository.url, slipway_cache=str(tmp_path / "cache"))


def test_they_are_fetched_once(repository, machine):
    folder = jars.jars(machine)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.rpartition("/")[2]: content for path, content in CONTENT.items()
    }
    assert sorted(repository.asked) == sorted(CONTENT)
    assert jars.jars(machine) == folder
    assert len(repository.asked) == len(CONTENT)


def test_what_is_not_what_was_locked_is_refused_and_an_interrupted_fetch_goes_on(repository, machine):
    bad = list(CONTENT)[-1]  # the others are there when it is refused
    repository.answers[bad] = b"a proxy's page"

    with pytest.raises(EmbeddedError, match=r"part-5-1.5.jar is not what is locked: its SHA-256 is .*MAVEN_MIRROR"):
        jars.jars(machine)
    assert not jars.jars_folder(machine).exists()

    del repository.answers[bad]
    repository.asked.clear()
    jars.jars(machine)
    assert repository.asked == [bad]


def test_a_connection_that_breaks_is_tried_again(repository, machine):
    path = next(iter(CONTENT))
    broken = []

    def break_once(handler):
        if not broken:
            broken.append(True)
            handler.connection.close()
        return CONTENT[path]

    repository.answers[path] = break_once

    assert len(list(jars.jars(machine).iterdir())) == len(CONTENT)


def test_a_repository_that_lacks_one_is_named_with_the_cure(repository, machine):
    repository.answers[next(iter(CONTENT))] = lambda _: None

    with pytest.raises(EmbeddedError, match=r"org.example:part-0:1.0.* could not be fetched: 404 .*MAVEN_MIRROR="):
        jars.jars(machine)


def test_processes_at_the_same_time_fetch_them_once(repository, machine):
    found = []
    threads = [threading.Thread(target=lambda: found.append(jars.jars(machine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert sorted(repository.asked) == sorted(CONTENT)


@pytest.mark.parametrize("of", ["central", "*", "external:*", "others, central"])
def test_the_mirror_of_the_readers_maven_is_taken(repository, tmp_path, of):
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>'
        "<mirror><mirrorOf>somewhere</mirrorOf><url>http://127.0.0.1:1</url></mirror>"
        f"<mirror><mirrorOf>{of}</mirrorOf><url>{repository.url}</url></mirror></mirrors></settings>"
    )

    jars.jars(MachineSettings(home=str(tmp_path), slipway_cache=str(tmp_path / "cache")))

    assert sorted(repository.asked) == sorted(CONTENT)


def test_the_lock_names_what_a_broker_is_made_of():
    names = [jar.file_name for jar in jars.locked()]

    assert len(names) == len(set(names)) > 40
    assert any(name.startswith("kafka_2.13-") for name in names)
    assert all(len(jar.sha256) == 64 for jar in jars.locked())
