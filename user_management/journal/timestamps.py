"""WorkOS's points in time: ISO 8601, with a `Z`, an offset or nothing (then UTC), a `T` or a space between."""

from datetime import UTC, datetime

ENDLESS = (1, 9999)
"""Years that mean "never": asyncpg stores their ends as infinity and reads that as a time without a zone."""


def parse(value: object) -> datetime | None:
    """The instant a WorkOS timestamp names, in UTC; None for anything that is not one."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        utc = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return None if utc.year in ENDLESS else utc


def render(instant: datetime) -> str:
    """The instant as WorkOS writes it: UTC, milliseconds, `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
