"""A lesson as its ``lesson.toml`` says it: read, bounded and checked before anything runs."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from ..errors import LessonUnreadable
from ..spec.hashing import digest
from . import checks, containers
from .checks import Checks
from .containers import Containers
from .judged import Judged
from .relations import COUNTS
from .texts import Declared, Text

FOLDER = Path("docs", "patterns")
NAMED = re.compile(r"(\d\d)-([a-z0-9-]{1,25})")
LARGEST, MOST_NAIVE_LINES = 64 * 1024, 40
MOST_CUSTOMERS, MOST_SECONDS = 64, 120
OF_ORDER = "${order}"
ORDER, CANCEL = "POST /v1/orders", f"POST /v1/orders/{OF_ORDER}/cancel"

_SERVICE = r"^[a-z][a-z0-9_]{0,39}$"
_NAME = "[a-z][a-z0-9_]{0,39} (http|grpc|worker|relay|consumer)"
_OF_SERVICE, _PROCESS = rf"^{_NAME}$", rf"^({_NAME}|Kafka|PostgreSQL)$"

_Log = Annotated[str, Field(pattern=r"^(gateway|[a-z][a-z0-9_]{0,39}-(http|grpc|worker|relay|consumer))$")]


class Fault(Declared):
    """One of: ``freeze`` a process for ``seconds``, ``kill`` it with -9, ``restart`` it (it is asked to end, and
    started when it has), ``release`` a service's working tree. It happens ``before`` the customers come, or while they
    are there; they stay until it is over.
    """

    freeze: str = Field("", pattern=rf"^$|{_PROCESS}")
    kill: str = Field("", pattern=rf"^$|{_PROCESS}")
    restart: str = Field("", pattern=rf"^$|{_OF_SERVICE}")
    release: str = Field("", pattern=rf"^$|{_SERVICE}")
    seconds: int = Field(5, ge=1, le=30)
    before: bool = False

    @model_validator(mode="after")
    def _one(self) -> "Fault":
        if [bool(self.freeze), bool(self.kill), bool(self.restart), bool(self.release)].count(True) != 1:
            raise ValueError("a fault is one of freeze, kill, restart and release")
        return self


class Load(Declared):
    """``who``: anybody, a customer who signed in, or a stranger with a token that nobody signed. ``at``: the
    gateway, or a service's own address behind it. In paths ``${user}`` stands for the customer's id, and ``${order}``
    for the order before, until it is cancelled. A request POST /v1/orders orders the item ``order``. Who got no good
    answer asks again up to ``retries`` times, with the Idempotency-Key of the first time. What reaches the service
    ``watched`` is counted, after some seconds to warm up. In each of the logs ``told`` every order has to be found
    again, while the services tell each event.
    """

    customers: int = Field(8, ge=1, le=MOST_CUSTOMERS)
    seconds: int = Field(6, ge=1, le=MOST_SECONDS)
    pause_seconds: float = Field(0.05, ge=0, le=10)
    patience_seconds: float = Field(5, ge=0.1, le=30)
    retries: int = Field(0, ge=0, le=20)
    who: Literal["anybody", "customer", "stranger"] = "anybody"
    at: str = Field("gateway", pattern=rf"^gateway$|{_SERVICE}")
    requests: tuple[str, ...] = Field(min_length=1, max_length=20)
    told: tuple[_Log, ...] = Field((), max_length=10)
    watched: str = Field("", pattern=rf"^$|{_SERVICE}")
    order: str = Field("tea", pattern=r"^[a-z0-9-]{1,40}$")

    @field_validator("requests")
    @classmethod
    def _known(cls, requests: tuple[str, ...]) -> tuple[str, ...]:
        for request in requests:
            if request not in (ORDER, CANCEL) and not re.fullmatch(r"GET /[!-~]{0,200}", request):
                raise ValueError(f"{request!r} is neither GET with a path nor {ORDER} nor {CANCEL}")
        if any(OF_ORDER in request for request in requests) and ORDER not in requests:
            raise ValueError(f"{OF_ORDER} stands for no order: {ORDER} is needed")
        return requests


class Run(Judged):
    """What is run twice. ``service`` is what the pattern is taken away from: by ``naive.py`` in its code, by the
    settings ``set`` (``${users_port}`` stands for the port that users has now), or by both. A pattern that is no part
    of a version is taken away otherwise: ``beside`` runs ``naive.py`` as a program that customers ask in place of the
    gateway; ``instead`` happens in place of ``fault``. ``harm`` is the count that is 0 with the pattern and more
    without; ``holds`` are further relations.
    """

    service: str = Field(pattern=_SERVICE)
    naive: bool = True
    set: Mapping[str, str] = {}
    harm: str
    load: Load
    fault: tuple[Fault, ...] = Field((), max_length=10)
    instead: tuple[Fault, ...] = Field((), max_length=10)
    beside: bool = False

    @property
    def by_release(self) -> bool:
        """Whether a release takes the pattern away, so that it stays away until a rollback."""
        return not (self.beside or self.instead)

    @field_validator("harm")
    @classmethod
    def _counted(cls, harm: str) -> str:
        if harm not in COUNTS:
            raise ValueError(f"harm is one of {', '.join(COUNTS)}")
        return harm

    @model_validator(mode="after")
    def _taken_away(self) -> "Run":
        if self.beside and (not self.naive or self.instead or self.load.at != "gateway"):
            raise ValueError("beside needs naive.py and customers of the gateway, and no instead")
        if self.instead and self.naive:
            raise ValueError("instead takes the pattern away: say naive = false")
        if not self.by_release and self.set:
            raise ValueError("set is for what a release takes away")
        if not self.naive and not self.set and not self.instead:
            raise ValueError("nothing takes the pattern away: naive.py, set or instead is needed")
        if self.by_release and any(fault.release == self.service for fault in self.fault):
            raise ValueError(f"a fault that releases {self.service} would put back what was taken away from it")
        return self


class Lesson(Declared):
    """It has one of ``run``, beside ``slipway up``; ``checks``, on a copy of the clone; ``containers``, by Docker."""

    number: int = Field(ge=1, le=15)
    name: str
    folder: Path
    title: Text
    problem: Text
    without: Text
    run: Run | None = None
    checks: Checks | None = None
    containers: Containers | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Lesson":
        if sum(part is not None for part in (self.run, self.checks, self.containers)) != 1:
            raise ValueError("a lesson has one of run, checks and containers")
        return self

    @property
    def naive_file(self) -> str:
        """What takes the pattern away, beside ``lesson.toml``; empty: nothing of its own."""
        if self.containers:
            return "naive.Dockerfile"
        tested = self.checks and any(test.endswith("/naive.py") for test in self.checks.naive.tests)
        return "naive.py" if tested or (self.run and self.run.naive) else ""

    @property
    def harm(self) -> str:
        """The count that is 0 with the pattern and more without."""
        if self.run:
            return self.run.harm
        return checks.HARM if self.checks else containers.HARM

    @property
    def runnable(self) -> Run:
        """LessonUnreadable where there is none."""
        if self.run is None:
            raise LessonUnreadable(f"lesson {self.number} can't be run beside slipway up")
        return self.run

    def label(self, content: object) -> str:
        """Of the version that is without the pattern. Other content makes another name, since names are for good."""
        return f"{self.prefix}{self.name}.{digest(content)[:6]}"

    @property
    def prefix(self) -> str:
        return f"without-{self.number}-"


def read_lesson(folder: Path) -> Lesson:
    """Raises LessonUnreadable with file, place and what was wrong."""
    file = folder / "lesson.toml"
    named = NAMED.fullmatch(folder.name)
    if named is None:
        raise LessonUnreadable(f"{folder} is no name of a lesson: it is called like 04-circuit-breaker")
    try:
        content = file.read_bytes()
        if len(content) > LARGEST:
            raise LessonUnreadable(f"{file} has more than {LARGEST // 1024} KB: it is no lesson")
        declared = tomllib.loads(content.decode())
        given = {"number": int(named[1]), "name": named[2], "folder": folder}
        if taken := given.keys() & declared.keys():
            raise LessonUnreadable(f"{file}: {', '.join(sorted(taken))} follows from the folder's name: remove it")
        lesson = Lesson.model_validate(declared | given)
    except OSError as error:
        raise LessonUnreadable(f"{file} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, RecursionError, UnicodeDecodeError) as error:
        raise LessonUnreadable(f"{file} is no TOML: {error}") from None
    except ValidationError as error:
        raise LessonUnreadable(f"{file}: {_first(error)}") from None
    if lesson.naive_file:
        naive_of(lesson)
    return lesson


def naive_of(lesson: Lesson) -> str:
    """The code that takes the pattern away, which a reader can take in at one look."""
    file = lesson.folder / lesson.naive_file
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError):
        raise LessonUnreadable(f"{file} can't be read, and is a part of the lesson") from None
    lines = len(text.splitlines())
    if lines > MOST_NAIVE_LINES:
        raise LessonUnreadable(f"{file} has {lines} lines, and a naive version at most {MOST_NAIVE_LINES}")
    return text


def read_lessons(project: Path) -> list[Lesson]:
    """All of a checkout, by number. Raises LessonUnreadable where there are none."""
    folders = sorted(path.parent for path in (project / FOLDER).glob("*/lesson.toml"))
    if not folders:
        raise LessonUnreadable(f"there is no lesson in {project / FOLDER}: run this in a checkout of Slipway")
    return sorted(map(read_lesson, folders), key=lambda lesson: lesson.number)


def lesson_of(project: Path, number: int) -> Lesson:
    lessons = read_lessons(project)
    for lesson in lessons:
        if lesson.number == number:
            return lesson
    raise LessonUnreadable(f"there is no lesson {number}, only: {', '.join(str(each.number) for each in lessons)}")


def _first(error: ValidationError) -> str:
    """The first fault: where, and what."""
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in fault["loc"])
    said = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
