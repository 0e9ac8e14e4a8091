from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

DAY: Final = 86_400_000
"""One day in milliseconds, the unit of every moment in this package."""

MINUTE: Final = 60_000
"""One minute in milliseconds."""

Clock = Callable[[], datetime]
"""Tells the current moment as an aware UTC datetime."""


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def milliseconds(moment: datetime) -> int:
    """A moment as whole milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def at(moment: int) -> datetime:
    """Milliseconds since the epoch as a moment."""
    return datetime.fromtimestamp(moment / 1000, UTC)


def stamp(moment: int) -> str:
    """Milliseconds since the epoch as WorkOS writes them: `2026-01-01T00:00:00.000Z`."""
    return at(moment).isoformat(timespec="milliseconds")[:23] + "Z"


def parse(text: str) -> int | None:
    """The milliseconds of an ISO 8601 date that ends in `Z`, or None: WorkOS accepts no other zone."""
    if not text.endswith("Z"):
        return None
    try:
        return milliseconds(datetime.fromisoformat(text))
    except ValueError:
        return None
