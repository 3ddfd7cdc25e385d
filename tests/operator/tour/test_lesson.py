import pytest

from slipway_operator.errors import LessonUnreadable
from slipway_operator.tour.lesson import FOLDER, LARGEST, lesson_of, read_lesson, read_lessons
from support.repository import ROOT

HEAD = """
title = {en = "Breaker", zh = "断路器"}
problem = {en = "It hangs.", zh = "卡住了。"}
without = {en = "Wait.", zh = "等。"}
"""
RUN = """
[run]
service = "storefront"
harm = "late"
[run.load]
requests = ["GET /"]
"""


def folder(tmp_path, text=HEAD + RUN, *, name="04-circuit-breaker", naive="import this\n"):
    made = tmp_path / name
    made.mkdir(parents=True)
    (made / "lesson.toml").write_text(text)
    if naive is not None:
        (made / "naive.py").write_text(naive)
    return made


def refused(tmp_path, text=HEAD + RUN, **options):
    with pytest.raises(LessonUnreadable) as error:
        read_lesson(folder(tmp_path, text, **options))
    return str(error.value)


def test_a_lesson_is_read_with_its_number_and_name(tmp_path):
    lesson = read_lesson(folder(tmp_path))

    assert (lesson.number, lesson.name, lesson.title.in_("zh")) == (4, "circuit-breaker", "断路器")
    assert lesson.run.load.customers == 8


def test_the_version_without_the_pattern_is_called_so_and_other_content_otherwise(tmp_path):
    lesson = read_lesson(folder(tmp_path))

    assert lesson.label("a").startswith("without-4-circuit-breaker.")
    assert lesson.label("a") == lesson.label("a") != lesson.label("b")
    assert len(lesson.label("a")) <= 40


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('harm = "late"', 'harm = "p50"'), "run.harm: harm is one of sent, answered"),
        (('harm = "late"', 'harm = "late"\nholds = ["soon"]'), "run.holds: 'soon' is no relation"),
        (('["GET /"]', '["DELETE /v2/users"]'), "is neither GET with a path nor POST /v1/orders"),
        (('["GET /"]', '["GET / HTTP/1.1\\r\\nX: y"]'), "is neither GET with a path"),
        (
            ('["GET /"]', '["GET /"]\ncustomers = 100000'),
            "run.load.customers: Input should be less than or equal to 64",
        ),
        (('["GET /"]', '["GET /"]\nseconds = 1e9'), "run.load.seconds"),
        (('["GET /"]', '["GET /"]\nat = "http://elsewhere"'), "run.load.at"),
        (('harm = "late"', 'harm = "late"\nnaive = false'), "nothing takes the pattern away"),
        (('service = "storefront"', 'service = "../x"'), "run.service"),
        ((RUN, RUN + '[[run.fault]]\nfreeze = "sshd"\n'), "run.fault.0.freeze"),
        ((RUN, RUN + '[[run.fault]]\nrestart = "PostgreSQL"\n'), "run.fault.0.restart"),
        (
            (RUN, RUN + "[[run.fault]]\nseconds = 3\n"),
            "run.fault.0: a fault is one of freeze, kill, restart",
        ),
        ((RUN, RUN + '[[run.fault]]\nrelease = "storefront"\n'), "would put back what was taken away"),
        (('["GET /"]', '["POST /v1/orders/${order}/cancel"]'), "${order} stands for no order: POST /v1/orders"),
        (('["GET /"]', '["GET /"]\ntold = ["../secrets"]'), "run.load.told.0"),
        (('["GET /"]', '["GET /"]\nretries = 1000'), "run.load.retries"),
        (('["GET /"]', '["GET /"]\nwatched = "http://elsewhere"'), "run.load.watched"),
        (
            (RUN, RUN + '[[run.instead]]\nrestart = "orders http"\n'),
            "instead takes the pattern away: say naive",
        ),
        (('harm = "late"', 'harm = "late"\nbeside = true\nset = {A = "1"}'), "set is for what a release takes away"),
        (('harm = "late"', 'harm = "late"\nbeside = true\nnaive = false'), "beside needs naive.py"),
        ((RUN, ""), "a lesson has one of run, checks and containers"),
        ((', zh = "断路器"', ""), "title.zh: Field required"),
        ((HEAD, HEAD + "number = 4\n"), "number follows from the folder's name: remove it"),
        ((HEAD, HEAD + "shell = 1\n"), "shell: Extra inputs are not permitted"),
        ((HEAD, "["), "is no TOML"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_sentence(tmp_path, change, said):
    told = refused(tmp_path, (HEAD + RUN).replace(*change))

    assert said in told
    assert "lesson.toml" in told
    assert "\n" not in told.partition(" is no TOML")[0]


def test_the_naive_version_is_there_and_short(tmp_path):
    assert "naive.py can't be read" in refused(tmp_path / "a", naive=None)
    assert "has 41 lines, and a naive version at most 40" in refused(tmp_path / "b", naive="pass\n" * 41)


def test_names_and_sizes_are_bounded(tmp_path):
    assert "is called like 04-circuit-breaker" in refused(tmp_path / "a", name="four")
    assert "has more than 64 KB" in refused(tmp_path / "b", "#" * (LARGEST + 1))


def test_elsewhere_there_is_no_tour(tmp_path):
    with pytest.raises(LessonUnreadable, match="run this in a checkout of Slipway"):
        read_lessons(tmp_path)


def test_a_number_that_no_lesson_has_is_told_with_those_that_are():
    with pytest.raises(LessonUnreadable, match="there is no lesson 99, only: "):
        lesson_of(ROOT, 99)


def test_every_folder_of_a_pattern_has_a_lesson_and_each_number_one():
    folders = {path.name for path in (ROOT / FOLDER).iterdir() if path.is_dir()}
    lessons = read_lessons(ROOT)

    assert {lesson.folder.name for lesson in lessons} == folders
    assert len({lesson.number for lesson in lessons}) == len(lessons)


def test_what_is_nested_without_end_is_no_lesson(tmp_path):
    folder = tmp_path / "docs" / "patterns" / "05-y"
    folder.mkdir(parents=True)
    (folder / "lesson.toml").write_text("x=" + "[" * 5000)

    with pytest.raises(LessonUnreadable, match="is no TOML"):
        read_lessons(tmp_path)
