"""``slipway tour``, ``break`` and ``mend``, beside a running ``slipway up``."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import click

from ..errors import LessonFailed
from ..runtimes.local.layout import default_data
from ..runtimes.local.release_cli import data_option
from . import docker_engine
from .checking import CheckRun
from .checks import Change, Checks
from .containers import Containers
from .lesson import FOLDER, Lesson, lesson_of, naive_of, read_lessons
from .relations import broken
from .running import LessonRun, Result
from .shop import RunningShop
from .table import table
from .texts import LANGUAGES, Language
from .words import said
from .working_copy import working_copy

NUMBER = click.IntRange(1, 15)
NEEDS = {"beside a shop": "slipway up", "on a copy": "clone", "by docker": "docker"}

lang_option = click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language.")


@dataclass(frozen=True, slots=True)
class _Telling:
    """``silent``: a program reads the result, and no step is told."""

    language: Language
    silent: bool = False

    def say(self, name: str, *words: object) -> None:
        self.text(said(name, self.language).format(*words))

    def text(self, text: str) -> None:
        if not self.silent:
            with contextlib.suppress(OSError):  # the terminal has gone; what was taken away is put back all the same
                click.echo(text)

    def stepper(self) -> Callable[[str, str], None]:
        start = time.monotonic()

        def tell(what: str, remark: str) -> None:
            self.text(f"  {time.monotonic() - start:5.1f} s  {what:<22} {remark}")

        return tell

    def checker(self) -> Callable[[Change, Sequence[str]], None]:
        step = self.stepper()

        def tell(change: Change, red: Sequence[str]) -> None:
            step(said("red" if red else "green", self.language), change.says.in_(self.language))
            if red:
                first = change.named if change.named in red else red[0]
                self.text(f"{'':34}{first}" + (f" +{len(red) - 1}" if len(red) > 1 else ""))

        return tell


@click.command()
@click.argument("number", type=NUMBER, required=False)
@lang_option
@click.option("--yes", is_flag=True, help="Begin without waiting for Enter.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@data_option
def tour(number: int | None, lang: Language, output: str, data: Path | None, *, yes: bool) -> None:
    """Show pattern NUMBER at work beside `slipway up`, take it away by a release, and put it back.

    Without NUMBER the lessons are listed. Customers and faults are the lesson's own; what is released is
    rolled back at the end, also after Ctrl-C. Some lessons run checks on a copy of this repository instead,
    without `slipway up`.

    \b
    Examples:
      slipway tour
      slipway tour 4
      slipway tour 5 --lang zh
      slipway tour 5 --yes -o json
    """  # noqa: D301 # \b is click's mark for a paragraph that keeps its lines
    telling = _Telling(lang, silent=output == "json")
    if number is None:
        _list(lang, output)
        return
    lesson = lesson_of(Path.cwd(), number)
    if lesson.containers and not docker_engine.answers():
        click.echo(_skipped(lesson, output, lang))
        return
    _leave_in_order()
    if lesson.checks:
        result, more = _check(lesson, lesson.checks, telling, yes=yes)
    elif lesson.containers:
        result, more = _contain(lesson, lesson.containers, telling, yes=yes)
    else:
        shop = _shop(data, telling)
        shop.controls(lesson.runnable.service)  # nothing is told to who can't begin
        _introduce(lesson, telling, yes=yes)
        result, more = _run(lesson, shop, telling), {}
    if output == "json":
        click.echo(json.dumps(_as_json(lesson, result) | more, ensure_ascii=False))
    else:
        click.echo("\n" + table(result.with_it, result.without_it, lang))
    if result.failed:
        raise LessonFailed(
            f"the runs of lesson {number} don't show what it tells: {'; '.join(result.failed)} is not so"
        )
    telling.say("holds")


def _run(lesson: Lesson, shop: RunningShop, telling: _Telling) -> Result:
    run, load = LessonRun(lesson, shop), lesson.runnable.load
    telling.say("with", load.customers, load.seconds)
    with_it = run.with_it()
    try:
        telling.say("off" if lesson.runnable.by_release else "otherwise", lesson.runnable.service)
        run.take_away()
        telling.say("without")
        without_it = run.without_it()
    finally:
        telling.say("on" if lesson.runnable.by_release else "as before")
        run.put_back()
    return run.judged(with_it, without_it)


def _check(lesson: Lesson, checks: Checks, telling: _Telling, *, yes: bool) -> tuple[Result, dict[str, Any]]:
    """Also what became red by each change."""
    with working_copy(Path.cwd()) as copy:  # nothing is told to who can't begin
        _introduce(lesson, telling, yes=yes)
        run = CheckRun(checks, copy, telling.checker())
        telling.say("copy")
        run.require_green()
        telling.say("real", len(checks.change))
        real = run.real()
        telling.say("naive checks")
        naive = run.naive()
    telling.say("removed")
    changes = [
        {"change": change.says.in_(telling.language), "with": with_it, "without": without_it}
        for change, with_it, without_it in zip(checks.change, real.red, naive.red, strict=True)
    ]
    return Result(real.counts, naive.counts, run.judged(real, naive)), {"changes": changes}


def _contain(lesson: Lesson, containers: Containers, telling: _Telling, *, yes: bool) -> tuple[Result, dict[str, Any]]:
    """Also how long it took to stop."""
    image = docker_engine.image_of(Path.cwd(), containers.service)  # nothing is told to who can't begin
    _introduce(lesson, telling, yes=yes)
    step = telling.stepper()

    def stopped(image: str) -> docker_engine.Stopped:
        found = docker_engine.stopped(image, containers)
        step(f"{found.seconds:.1f} s", said("stopped", telling.language).format(found.user, found.code))
        return found

    telling.say("image", image)
    with_it = stopped(image)
    telling.say("naive image")
    with docker_engine.naive_image(naive_of(lesson), image) as naive:
        telling.say("naive container")
        without_it = stopped(naive)
    telling.say("images removed")
    sides = (with_it.counts, without_it.counts)
    failed = broken(lesson.harm, containers.relations, *(each.counts for each in sides))
    seconds = {"with": round(with_it.seconds, 1), "without": round(without_it.seconds, 1)}
    return Result(*sides, tuple(failed)), {"stop_seconds": seconds}


def _leave_in_order() -> None:
    """Whoever is asked to end, or loses the terminal, puts back first what was taken away, as after Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # by nohup
            signal.signal(number, _leave)


def _leave(*_: object) -> Never:
    raise KeyboardInterrupt


@click.command("break")
@click.argument("number", type=NUMBER)
@data_option
def break_(number: int, data: Path | None) -> None:
    """Take pattern NUMBER away from the running shop, by a release without it, until `slipway mend NUMBER`."""
    lesson = _by_release(number)
    shop = _shop(data, _Telling("en"))
    if not shop.lacks(lesson):
        shop.require_whole(lesson.runnable.service)
    label = shop.take_away(lesson)
    click.echo(
        f"{lesson.runnable.service} runs as {label}, WITHOUT {lesson.title.en}: slipway mend {number} puts it back"
    )


@click.command()
@click.argument("number", type=NUMBER)
@data_option
def mend(number: int, data: Path | None) -> None:
    """Put pattern NUMBER back, by a rollback to the last version that had it."""
    lesson = _by_release(number)
    shop = _shop(data, _Telling("en"))
    service = lesson.runnable.service
    if not shop.lacks(lesson):
        click.echo(f"{service} has {lesson.title.en}: there is nothing to mend")
        return
    shop.put_back(service)
    click.echo(f"{service} runs as {shop.active(service)}, with {lesson.title.en}")


def _by_release(number: int) -> Lesson:
    lesson = lesson_of(Path.cwd(), number)
    if not (lesson.run and lesson.run.by_release):
        raise LessonFailed(
            f"lesson {number} takes nothing out of a service that could stay away: slipway tour {number} shows it"
        )
    return lesson


def _shop(data: Path | None, telling: _Telling) -> RunningShop:
    return RunningShop(Path.cwd(), (data or default_data(Path.cwd())).absolute(), telling.stepper())


def _list(language: Language, output: str) -> None:
    lessons = read_lessons(Path.cwd())
    if output == "json":
        listed = [
            {"number": each.number, "title": each.title.in_(language), "needs": NEEDS[_kind(each)]} for each in lessons
        ]
        click.echo(json.dumps(listed, ensure_ascii=False))
        return
    for lesson in lessons:
        remark = "" if lesson.run else f"  ({said(_kind(lesson), language)})"
        click.echo(f"  {lesson.number:>2}  {lesson.title.in_(language)}{remark}")
    click.echo(said("list", language))


def _kind(lesson: Lesson) -> str:
    return "beside a shop" if lesson.run else "on a copy" if lesson.checks else "by docker"


def _introduce(lesson: Lesson, telling: _Telling, *, yes: bool) -> None:
    """Waits for the reader, if one is there."""
    language = telling.language
    telling.text(f"{lesson.number} {lesson.title.in_(language)}\n")
    telling.text(f"{said('problem', language)}: {lesson.problem.in_(language)}\n")
    telling.text(f"{said('naive', language)}: {lesson.without.in_(language)}\n")
    if lesson.naive_file:
        telling.text("\n".join(f"    {line}".rstrip() for line in naive_of(lesson).splitlines()) + "\n")
    page = "README.zh-CN.md" if language == "zh" else "README.md"
    telling.say("page", FOLDER / lesson.folder.name / page)
    if not (yes or telling.silent) and sys.stdin.isatty():
        click.prompt(said("go", language), default="", show_default=False, prompt_suffix=" ")


def _skipped(lesson: Lesson, output: str, language: Language) -> str:
    why = said("no docker", language)
    if output == "json":
        return json.dumps({"lesson": lesson.number, "skipped": why}, ensure_ascii=False)
    return f"{lesson.number} {lesson.title.in_(language)}\n{why}"


def _as_json(lesson: Lesson, result: Result) -> dict[str, Any]:
    sides = {"with": result.with_it, "without": result.without_it}
    figures = {side: {**each.counts, "p50_ms": each.p50} for side, each in sides.items()}
    return {"lesson": lesson.number, **figures, "broken": result.failed}
