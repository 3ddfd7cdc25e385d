"""Whether a promotion window is open. Windows that end earlier than they begin go over midnight."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..spec.strategy import DAYS, PromotionWindow


def closed_because(window: PromotionWindow | None, now: datetime) -> str:
    """Empty while it is open."""
    if window is None:
        return ""
    try:
        local = now.astimezone(ZoneInfo(window.time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return f"strategy.promotionWindow.timeZone {window.time_zone!r} is not known: name one like Europe/Berlin"
    if _open(window, local):
        return ""
    days = ", ".join(window.days)
    return f"it waits for its promotion window ({days} {window.from_}-{window.to} {window.time_zone})"


def _open(window: PromotionWindow, local: datetime) -> bool:
    begins, ends = time.fromisoformat(window.from_), time.fromisoformat(window.to)
    today, clock = DAYS[local.weekday()], local.time().replace(tzinfo=None)
    if begins < ends:
        return today in window.days and begins <= clock < ends
    yesterday = DAYS[(local - timedelta(days=1)).weekday()]
    return (today in window.days and clock >= begins) or (yesterday in window.days and clock < ends)
