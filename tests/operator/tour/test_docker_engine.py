"""What is asked of ``docker``, by a program in its place."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from slipway_operator.errors import LessonFailed
from slipway_operator.tour import docker_engine
from slipway_operator.tour.containers import Containers
from support.repository import ROOT

LESSON = Containers(service="storefront", path="/sign-up", settings={"KEY": "${secret}", "NAME": "x"})
DOCKER = """#!/bin/sh
echo "$@" >>{asked}
case "$*" in
  version*) exit {version} ;;
  *State.Running*) echo {running} ;;
  *State.ExitCode*) echo {code} ;;
  port*) echo 127.0.0.1:{port} ;;
  exec*) echo {user} ;;
  logs*) echo "PUBLIC_URL is not set" >&2 ;;
  "image inspect"*) exit {image} ;;
  build*) cat >>{asked}; exit {build} ;;
esac
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/sign-up" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", name="port")
def _port():
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(name="docker")
def _docker(tmp_path, monkeypatch, port):
    """Gives what was asked by now."""
    asked = tmp_path / "asked"
    asked.touch()

    def be(**said):
        known = {"version": 0, "running": "true", "code": 0, "user": 10001, "image": 0, "build": 0, "port": port}
        program = tmp_path / "docker"
        program.write_text(DOCKER.format(asked=asked, **(known | said)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return lambda: asked.read_text().splitlines()

    return be


def test_a_container_is_stopped_once_it_has_answered_and_then_removed(docker):
    asked = docker()

    stopped = docker_engine.stopped("slipway/storefront:dev", LESSON)

    assert (stopped.user, stopped.code) == ("10001", "0")
    assert stopped.counts.counts == {"started": 1, "killed": 0, "as_root": 0}
    words = [line.split()[0] for line in asked()]
    assert [word for word in words if word != "inspect"] == ["run", "port", "exec", "stop", "rm"]
    [run] = [line for line in asked() if line.startswith("run")]
    assert " -p 127.0.0.1::8000 " in run  # nobody else's machine gets at it
    assert " -e NAME=x " in run
    assert "${secret}" not in run


def test_who_has_to_be_killed_and_is_root_is_counted(docker):
    docker(code=137, user=0)

    assert docker_engine.stopped("any", LESSON).counts.counts == {"started": 1, "killed": 1, "as_root": 1}


def test_a_container_that_ends_is_told_with_its_last_words_and_removed(docker):
    asked = docker(running="false")

    with pytest.raises(LessonFailed, match="did not answer /sign-up; its last words: PUBLIC_URL is not set"):
        docker_engine.stopped("any", LESSON)
    assert asked()[-1].startswith("rm -f slipway-lesson-")


def test_the_naive_image_is_gone_whatever_happens(docker):
    asked = docker()

    with pytest.raises(KeyboardInterrupt), docker_engine.naive_image("FROM x\n", "base:1") as name:
        raise KeyboardInterrupt

    [build, given, removed] = asked()
    assert "--build-arg IMAGE=base:1" in build
    assert given == "FROM x"
    assert removed == f"image rm -f {name}"


def test_a_build_that_fails_is_told(docker):
    docker(build=1)

    with (
        pytest.raises(LessonFailed, match=r"naive\.Dockerfile can't be built"),
        docker_engine.naive_image("", "base:1"),
    ):
        pass


def test_where_no_engine_answers_nothing_is_there_to_be_run(docker, monkeypatch, tmp_path):
    docker()
    assert docker_engine.answers()
    docker(version=1)
    assert not docker_engine.answers()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert not docker_engine.answers()


def test_images_are_those_of_a_clone_and_somebody_has_built_them(docker, tmp_path):
    docker()
    assert docker_engine.image_of(ROOT, "storefront").startswith("slipway/storefront:dev-")

    docker(image=1)
    with pytest.raises(LessonFailed, match="make images builds it"):
        docker_engine.image_of(ROOT, "storefront")
    with pytest.raises(LessonFailed, match=r"of a clone of Slipway, and .* has no ci/images.sh"):
        docker_engine.image_of(tmp_path, "storefront")
