"""The moving picture of the READMEs is what its generator makes of a recorded run, and asks nobody for anything."""

import importlib.util
import re
from xml.etree import ElementTree as ET

import pytest

from support.repository import ROOT

PICTURES = ROOT / "docs" / "pictures"
RECORDED = (PICTURES / "release.txt").read_text()
PICTURE = (PICTURES / "release.svg").read_text()
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = list(ET.fromstring(PICTURE).iter())  # noqa: S314 # our own file
[STYLE] = [element.text for element in ELEMENTS if element.tag == f"{SVG}style"]


@pytest.fixture(scope="module", name="picture")
def _picture():
    spec = importlib.util.spec_from_file_location("release_picture", ROOT / "ci" / "release_picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_what_was_recorded(picture):
    assert picture.draw(picture.read(RECORDED)) == PICTURE, "make generate draws it anew"


def test_it_says_the_words_times_and_figures_of_the_run(picture):
    release = picture.read(RECORDED)
    said = [text for element in ELEMENTS if (text := (element.text or "").strip())]

    assert f"$ {release.command}" in said
    for step in release.steps:
        assert f" {step.at} s  {release.service} {step.phase}" in RECORDED
        assert {f"{step.at} s", step.phase, step.says} <= set(said)
    assert f"{release.answered}; {release.orders}" in said
    assert ", 0 failed" in release.answered
    assert len(set(re.findall(r"\d+", release.orders))) == 1  # a reservation for each order


def test_it_is_small_well_formed_and_refers_to_nothing_outside_and_runs_nothing():
    assert len(PICTURE) < 10_000
    assert {element.tag for element in ELEMENTS} <= {
        SVG + tag for tag in ["svg", "title", "desc", "style", "rect", "text", "g", "path"]
    }
    names = {name for element in ELEMENTS for name in element.attrib}
    assert not [name for name in names if "href" in name or name.startswith("on")]
    assert PICTURE.count("http") == 1  # the name space
    assert not re.search(r"url\(|@import|javascript:|data:", PICTURE)


def test_whoever_asks_for_no_motion_sees_the_end(picture):
    still, _, moving = STYLE.partition("@media (prefers-reduced-motion:no-preference)")

    assert "animation" not in still
    assert ".asked-before{opacity:0}" in still
    assert ".asked-after{opacity:1}" in still
    assert "animation:asked-after" in moving


def test_requests_and_events_change_sides_when_the_run_did(picture):
    """The switch of requests comes after the events' handover."""
    release = picture.read(RECORDED)
    order = [release.at("Starting"), release.at("HandingOver"), release.consumes, release.at("Switching"), release.over]
    assert order == sorted(order)

    for name, at in (("asked-after", release.at("Switching")), ("read-after", release.consumes)):
        [(start, changes)] = re.findall(rf"@keyframes {name}{{0%,([\d.]+)%{{opacity:0}}([\d.]+)%", STYLE)
        assert float(start) == pytest.approx(at / release.over * picture.MOVING_PERCENT, abs=0.01)
        assert float(start) < float(changes) < 100


@pytest.mark.parametrize("missing", ["HandingOver", "$ slipway release", "requests were answered", "consumes:"])
def test_a_run_that_went_another_way_is_not_drawn(picture, missing):
    with pytest.raises(ValueError, match="recorded"):
        picture.read(RECORDED.replace(missing, ""))


def test_the_act_ends_where_the_next_begins(picture):
    told = f"Act 1: a\n\n{RECORDED}\nAct 3: b\n"

    assert picture.act(told) == RECORDED
    with pytest.raises(ValueError, match="no second act with a third behind it"):
        picture.act(RECORDED)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_both_pages_show_it(page):
    assert re.search(r"^!\[.{20,}\]\(docs/pictures/release\.svg\)$", (ROOT / page).read_text(), re.MULTILINE)
