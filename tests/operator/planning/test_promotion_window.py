"""When a promotion window is open."""

from datetime import UTC, datetime

import pytest

from slipway_operator.planning.promotion_window import closed_because
from slipway_operator.spec.strategy import PromotionWindow


@pytest.mark.parametrize(
    ("window", "moment", "open_"),
    [
        ({"from_": "09:00", "to": "17:00"}, "2026-01-05T12:00", True),
        ({"from_": "09:00", "to": "17:00"}, "2026-01-05T17:00", False),
        ({"from_": "09:00", "to": "17:00", "days": ("Tue",)}, "2026-01-05T12:00", False),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-05T23:00", True),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-06T01:00", True),
        ({"from_": "22:00", "to": "02:00", "days": ("Mon",)}, "2026-01-06T23:00", False),
        ({"from_": "13:00", "to": "14:00", "time_zone": "Europe/Berlin"}, "2026-01-05T12:30", True),
        ({"from_": "00:00", "to": "23:59", "time_zone": "Mars/Olympus"}, "2026-01-05T12:30", False),
    ],
)
def test_promotion_windows(window, moment, open_):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (closed_because(PromotionWindow(**window), now) == "") is open_
