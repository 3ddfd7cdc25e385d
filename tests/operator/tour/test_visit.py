import pytest

from slipway_operator.errors import LessonFailed
from slipway_operator.tour import visit


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    for name, seconds in {"PAUSE": 0.01, "STEADY": 0.2, "QUIET": 0.4, "RESTART": 1}.items():
        monkeypatch.setattr(visit, f"{name}_SECONDS", seconds)


class Looks:
    """Gives one value after the other, and the last one for ever; None: no answer."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self):
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if value is None:
            raise LessonFailed("no answer")
        return value


@pytest.mark.parametrize(("values", "last"), [((3, 2, 0), 0), ((0, 4), 4), ((-2, None, 5), 5)], ids=str)
def test_what_is_counted_is_what_stays(values, last):
    assert visit.settled(Looks(*values)) == last


def test_a_shop_that_does_not_answer_is_no_count():
    with pytest.raises(LessonFailed, match="the shop did not answer for 1 s"):
        visit.settled(Looks(0, None))
