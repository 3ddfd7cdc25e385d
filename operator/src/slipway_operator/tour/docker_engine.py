"""Containers of a lesson, by the ``docker`` of this machine. What is started here is removed, also after Ctrl-C."""

import base64
import http.client
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ..errors import LessonFailed
from .containers import Containers
from .faults import waited
from .measuring import Measured

ASK_SECONDS, BUILD_SECONDS, START_SECONDS, GRACE_SECONDS = 20, 600, 60, 10
PORT, KILLED, ROOT = 8000, "137", "0"


@dataclass(frozen=True, slots=True)
class Stopped:
    """``user``: the uid of its process. ``seconds``: from the wish until it had stopped."""

    user: str
    code: str
    seconds: float

    @property
    def counts(self) -> Measured:
        return Measured({"started": 1, "killed": int(self.code == KILLED), "as_root": int(self.user == ROOT)})


def answers() -> bool:
    """Whether a Docker engine does."""
    try:
        return _docker("version", "--format", "{{.Server.Version}}").returncode == 0
    except LessonFailed:
        return False


def image_of(project: Path, service: str) -> str:
    """The image of these sources; LessonFailed says how it is built."""
    script = project / "ci" / "images.sh"
    if not script.exists():
        raise LessonFailed(f"this lesson runs the images of a clone of Slipway, and {project} has no ci/images.sh")
    tag = subprocess.run([script, "tag"], capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    if tag.returncode:
        raise LessonFailed(f"ci/images.sh tag failed: {tag.stderr.strip()}")
    image = f"slipway/{service}:{tag.stdout.strip()}"
    if _docker("image", "inspect", image).returncode:
        raise LessonFailed(f"there is no image {image}: make images builds it, which takes minutes the first time")
    return image


@contextmanager
def naive_image(dockerfile: str, image: str) -> Iterator[str]:
    """Built on ``image``, until the block ends."""
    name = f"slipway-lesson:{secrets.token_hex(6)}"
    try:
        built = _docker("build", "-q", "-t", name, "--build-arg", f"IMAGE={image}", "-", given=dockerfile)
        if built.returncode:
            raise LessonFailed(f"naive.Dockerfile can't be built: {built.stderr.strip()}")
        yield name
    finally:
        _docker("image", "rm", "-f", name)


def stopped(image: str, lesson: Containers) -> Stopped:
    """Runs it, waits until it has answered, and stops it as every orchestrator does: SIGTERM, and SIGKILL later."""
    with _running(image, lesson) as name:
        _wait_for_answer(name, lesson.path)
        user = _said("exec", name, "id", "-u")
        begin = time.monotonic()
        _said("stop", "-t", str(GRACE_SECONDS), name)
        took = time.monotonic() - begin
        return Stopped(user, _said("inspect", "-f", "{{.State.ExitCode}}", name), took)


@contextmanager
def _running(image: str, lesson: Containers) -> Iterator[str]:
    name = f"slipway-lesson-{secrets.token_hex(6)}"
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    settings = [f"{key}={Template(value).safe_substitute(secret=secret)}" for key, value in lesson.settings.items()]
    options = [word for setting in settings for word in ("-e", setting)]
    try:
        _said("run", "-d", "--name", name, "-p", f"127.0.0.1::{PORT}", *options, image)
        yield name
    finally:
        _docker("rm", "-f", name)


def _wait_for_answer(name: str, path: str) -> None:
    for _ in waited(START_SECONDS):
        if _said("inspect", "-f", "{{.State.Running}}", name) != "true":
            break
        if (port := _port(name)) and _status(port, path) == http.client.OK:
            return
    words = _docker("logs", "--tail", "5", name)
    raise LessonFailed(f"a container did not answer {path}; its last words: {words.stdout}{words.stderr}".rstrip())


def _port(name: str) -> int:
    """Where it can be asked on this machine; 0: not yet, or it has just ended."""
    told = _docker("port", name, f"{PORT}/tcp").stdout.splitlines()
    return int(told[0].rpartition(":")[2]) if told else 0


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _said(*arguments: str) -> str:
    done = _docker(*arguments)
    if done.returncode:
        raise LessonFailed(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _docker(*arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    limit = BUILD_SECONDS if arguments[0] == "build" else START_SECONDS
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=limit)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LessonFailed(f"docker {arguments[0]} gave no answer: {error}") from None
