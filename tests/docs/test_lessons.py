"""The pages of the fifteen patterns: the same in both languages, in words of the glossary, with what a run wrote."""

import re
import subprocess
import sys

import pytest

from slipway_operator.tour.lesson import FOLDER, read_lessons
from slipway_operator.tour.words import word
from support.lesson_pages import HEADINGS, PAGES, blocks, figures, headings
from support.repository import ROOT

LESSONS = read_lessons(ROOT)


def ids(lesson):
    return lesson.folder.name


def page(lesson, language):
    return (lesson.folder / PAGES[language]).read_text()


@pytest.mark.parametrize("lesson", LESSONS, ids=ids)
@pytest.mark.parametrize("language", PAGES)
def test_every_pattern_has_a_page_with_the_same_headings_in_both_languages(lesson, language):
    text = page(lesson, language)

    assert headings(text) == HEADINGS[language]
    assert text.startswith(f"# {lesson.number} {lesson.title.in_(language)}\n")
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("lesson", LESSONS, ids=ids)
def test_both_languages_show_the_same_commands_pictures_links_and_figures(lesson):
    english, chinese = page(lesson, "en"), page(lesson, "zh")

    assert blocks(english) == blocks(chinese)
    assert figures(english) == figures(chinese)
    inside = r"\]\((?!README|(?:\.\./)+patterns\.)([^)]+)\)"
    assert re.findall(inside, english) == re.findall(inside, chinese.replace(".zh-CN.md)", ".md)"))


@pytest.mark.parametrize("lesson", LESSONS, ids=ids)
def test_a_lesson_that_runs_says_how_and_its_figures_are_those_of_a_run_or_not_there(lesson):
    """A page without figures says how to get them; numbers that nobody counted are written nowhere."""
    text = page(lesson, "en")

    assert f"slipway tour {lesson.number}\n" in text
    by_hand = f"slipway break {lesson.number}\nslipway mend {lesson.number}\n"
    assert (by_hand in text) is bool(lesson.run and lesson.run.by_release)
    assert len(figures(text)) >= 4 or "FIGURES=write make lessons" in text.partition("## Take it away")[2]


@pytest.mark.parametrize("lesson", [lesson for lesson in LESSONS if figures(page(lesson, "en"))], ids=ids)
@pytest.mark.parametrize("language", PAGES)
def test_the_figures_of_a_page_show_the_harm_that_the_lesson_tells_of(lesson, language):
    text = page(lesson, language)
    [(with_it, without_it)] = re.findall(
        rf"^\| {re.escape(word(lesson.harm, language))} \| (\d+) \| (\d+) \|$", text, re.MULTILINE
    )
    assert int(with_it) == 0 < int(without_it)


@pytest.mark.parametrize("index", [("patterns.md", "en"), ("patterns.zh-CN.md", "zh")], ids=lambda each: each[0])
def test_the_table_of_contents_leads_to_every_page(index):
    name, language = index
    text = (ROOT / "docs" / name).read_text()

    for lesson in LESSONS:
        assert f"[{lesson.title.in_(language)}]({FOLDER.name}/{lesson.folder.name}/{PAGES[language]})" in text


def test_naive_versions_are_written_as_carefully_as_all_other_code():
    folder = str(ROOT / FOLDER)
    for command in (["check", "-q"], ["format", "-q", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", folder],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tour_is_in_no_image():
    """A pattern is taken away on a laptop: no image has the code for it, nor what it is taken away by."""
    operator = (ROOT / "operator" / "Dockerfile").read_text()
    assert "rm -rf /app/lib/python3*/site-packages/slipway_operator/tour" in operator
    for name in ("services/Dockerfile", "services/gateway/Dockerfile"):
        copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / name).read_text(), re.MULTILINE)
        assert copied
        assert not [each for each in copied if re.search(r"(^| )(\.|docs|operator)(/| |$)", each)], name
