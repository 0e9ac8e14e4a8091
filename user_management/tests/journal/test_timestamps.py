"""Points in time, in every form WorkOS has been seen to write them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.journal import timestamps

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFSETS = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)
INSTANTS = st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30), timezones=OFFSETS)  # noqa: DTZ001  zones are drawn


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00.000Z", NOON),
        ("2026-03-01T12:00:00+00:00", NOON),
        ("2026-03-01T12:00:00+0000", NOON),
        ("2026-03-01T13:30:00+01:30", NOON),
        ("2026-03-01T04:00:00-08:00", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01 12:00:00", NOON),
        ("2026-03-01 12:00:00.123", NOON.replace(microsecond=123000)),
        ("2026-03-01T12:00:00.1Z", NOON.replace(microsecond=100000)),
        ("2026-03-01T12:00:00.123456Z", NOON.replace(microsecond=123456)),
        ("2026-03-01T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-03-01", NOON.replace(hour=0)),
        ("0002-01-01T00:00:00Z", datetime(2, 1, 1, tzinfo=UTC)),
        ("9998-12-31T23:59:59.999999Z", datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_every_form_is_understood(text: str, instant: datetime) -> None:
    """A `Z`, an offset or nothing, a `T` or a space, any number of digits: one instant, in UTC."""
    found = timestamps.parse(text)
    assert found == instant
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None, 0, 1_772_366_400, 1.5, True, [], {}, "", " ", "now", "null", "2026", "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-03-01T24:01:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00+99:00",
        "2026-03-01T12:00:00Zulu", "2026-03-01T12:00:00 Europe/Berlin", "\ud800", "2026-03-01\ud80012:00:00x",
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999Z",
         "9999-12-31T23:59:59-01:00", "1772366400", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(value: Any) -> None:
    """Nothing WorkOS could put in place of a time raises."""
    assert timestamps.parse(value) is None


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Whatever the text, the answer is an instant in UTC or None."""
    found = timestamps.parse(text)
    assert found is None or found.tzinfo is UTC


@given(INSTANTS)
def test_a_rendered_time_is_parsed_again(instant: datetime) -> None:
    """What we render is the same instant to the millisecond, in WorkOS's own form."""
    text = timestamps.render(instant)
    utc = instant.astimezone(UTC)
    assert timestamps.parse(text) == utc.replace(microsecond=utc.microsecond // 1000 * 1000)
    assert (len(text), text[10], text[-1]) == (24, "T", "Z")


@given(INSTANTS, INSTANTS)
def test_rendered_times_sort_as_instants(one: datetime, other: datetime) -> None:
    """Texts in our form compare as the instants do."""
    texts = timestamps.render(one), timestamps.render(other)
    assert texts[0] == texts[1] or (texts[0] < texts[1]) == (one < other)
