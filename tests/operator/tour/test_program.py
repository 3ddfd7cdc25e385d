import urllib.request

import pytest

from slipway_chassis.embedded.processes import port_free
from slipway_operator.errors import LessonFailed
from slipway_operator.tour.lesson import Lesson
from slipway_operator.tour.program import program_of

SERVER = """
import http.server, os

class Told(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["ORDERS"].encode())

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Told).serve_forever()
"""


@pytest.fixture(name="lesson")
def _lesson(tmp_path):
    text = {"en": "-", "zh": "-"}
    run = {"service": "orders", "beside": True, "harm": "reached", "load": {"requests": ["GET /"]}}
    about = {"number": 2, "name": "gateway", "folder": tmp_path, "title": text, "problem": text, "without": text}
    return Lesson.model_validate(about | {"run": run})


def test_the_program_is_told_its_port_and_where_services_are_and_ends_with_the_block(lesson):
    (lesson.folder / "naive.py").write_text(SERVER)

    with program_of(lesson, {"ORDERS": "http://127.0.0.1:1"}) as port:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()

    assert answer == b"http://127.0.0.1:1"
    assert port_free(port)


def test_a_program_that_does_not_start_is_told_with_its_last_words(lesson):
    (lesson.folder / "naive.py").write_text("raise SystemExit('no such upstream')")

    with pytest.raises(LessonFailed, match=r"(?s)naive\.py does not listen.*no such upstream"), program_of(lesson, {}):
        pass
