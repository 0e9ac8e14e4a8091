"""Waiting after failures, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.listener.backoff import LONGEST, Backoff, delay

CASES = [
    ("the first failure", 1, None, 1.0, 0.5),
    ("doubling", 4, None, 1.0, 4.0),
    ("jitter takes up to half", 4, None, 0.0, 2.0),
    ("the cap", 50, None, 1.0, 60.0),
    ("Retry-After wins when longer", 1, 30.0, 0.0, 30.0),
    ("Retry-After does not shorten", 50, 1.0, 1.0, 60.0),
    ("Retry-After beyond belief", 1, 1e9, 0.0, LONGEST),
]


@pytest.mark.parametrize(("failures", "asked", "jitter", "seconds"), [case[1:] for case in CASES], ids=lambda _: "")
def test_the_delay(failures: int, asked: float | None, jitter: float, seconds: float) -> None:
    """Each case above, with half a second at first and a minute at most."""
    assert delay(failures, 0.5, 60.0, asked, jitter) == pytest.approx(seconds)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 100_000))
def test_the_delay_is_never_silly(failures: int, jitter: float, asked: float) -> None:
    """However long an outage lasts: positive, bounded, and at least what was asked for, as far as it is believed."""
    seconds = delay(failures, 0.5, 60.0, asked, jitter)
    assert max(0.25, min(asked, LONGEST)) <= seconds <= LONGEST * 1.1


def test_a_database_is_asked_again_soon() -> None:
    """However long it has been away, and however patient we are with WorkOS."""
    backoff = Backoff(0.5, 60.0)
    assert all(backoff.next(1.0, nearby=True) <= 5.5 for _ in range(20))
    assert backoff.next() >= 30.0


def test_success_starts_afresh() -> None:
    """One success forgets the failures before it."""
    backoff = Backoff(1.0, 60.0)
    for _ in range(10):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 1.0
