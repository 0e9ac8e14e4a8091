"""The delay of an event, in four parts that add up to it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.listener.delay import Marks, parts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    """A moment so long after noon; None for never."""
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def marks(drained: float | None, asked: float, answered: float, committed: float) -> Marks:
    """The moments of a page, in seconds after noon."""
    return Marks(at(drained), NOON + timedelta(seconds=asked), NOON + timedelta(seconds=answered),
                 NOON + timedelta(seconds=committed))  # fmt: skip


CASES = [
    ("a poll after it happened did not show it", 0, marks(3, 5, 6, 6.5), (3, 2, 1, 0.5)),
    ("it happened after the last poll", 4, marks(3, 5, 6, 6.5), (0, 1, 1, 0.5)),
    ("it happened while we asked", 5.5, marks(3, 5, 6, 6.5), (0, 0, 0.5, 0.5)),
    ("no poll has ever reached the end", 0, marks(None, 5, 6, 6.5), (0, 5, 1, 0.5)),
    ("catching up: the last poll was long before", 0, marks(-3600, 5, 6, 6.5), (0, 5, 1, 0.5)),
    ("WorkOS's clock is ahead of ours", 60, marks(3, 5, 6, 6.5), (0, 0, 0, 0)),
    ("a poll that drained began after ours, elsewhere", 0, marks(5.5, 5, 6, 6.5), (5.5, 0, 0.5, 0.5)),
    ("our clock was put back meanwhile", 0, marks(3, 5, 4, 4.5), (3, 1.5, 0, 0)),
]


@pytest.mark.parametrize(
    ("occurred", "page", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_parts_of_a_delay(occurred: float, page: Marks, expected: tuple[float, ...]) -> None:
    """Source, wait, fetch, apply."""
    assert tuple(parts(NOON + timedelta(seconds=occurred), page).values()) == expected


moments = st.floats(-100, 100).map(lambda seconds: round(seconds, 3))


@given(occurred=moments, page=st.builds(marks, st.none() | moments, moments, moments, moments))
def test_the_parts_add_up(occurred: float, page: Marks) -> None:
    """To the whole delay, whatever the clocks did; and none is negative."""
    happened = NOON + timedelta(seconds=occurred)
    found = parts(happened, page).values()
    assert min(found) >= 0
    assert sum(found) == pytest.approx(max(0.0, (page.committed - happened).total_seconds()), abs=1e-6)
