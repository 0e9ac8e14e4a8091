"""The bucket: who may send how many requests now, decided without a clock and without a database."""

import heapq
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.services.workos import bucket as buckets
from user_management.services.workos.bucket import EXPIRY, LONGEST_BLOCK, RESERVE, WINDOW, Bucket, Plan, Priority

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLAN = Plan()


def at(seconds: float) -> datetime:
    """A moment, so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def holding(tokens: float, **more: object) -> Bucket:
    """A bucket that holds so much at noon."""
    return replace(Bucket(tokens=tokens, refilled_at=NOON, minute_at=NOON), **more)  # type: ignore[arg-type]  # fields of its own


@pytest.mark.parametrize(
    ("tokens", "priority", "ask", "count"),
    [
        (100, Priority.WRITE, 10, 10),
        (100, Priority.VERIFY, 50, 40),
        (60, Priority.VERIFY, 5, 0),
        (81, Priority.STRANGER, 5, 1),
        (80, Priority.STRANGER, 5, 0),
        (41, Priority.BACKFILL, 20, 1),
        (40, Priority.BACKFILL, 20, 0),
        (40, Priority.TAIL, 20, 20),
        (20.5, Priority.TAIL, 20, 0),
        (20.5, Priority.READ, 20, 10),
        (10, Priority.READ, 1, 0),
        (10, Priority.WRITE, 1, 1),
        (0.5, Priority.WRITE, 1, 0),
    ],
)
def test_who_goes_before_finds_something_left(tokens: float, priority: Priority, ask: int, count: int) -> None:
    """A stranger, a backfill or a verification empties no bucket that the tail or a user's write drinks from."""
    after, granted = buckets.grant(holding(tokens), NOON, PLAN, priority, ask)
    assert (granted.count, granted.wait > 0) == (count, count == 0)
    assert after.tokens == tokens - count


@pytest.mark.parametrize(
    ("tokens", "priority", "count"),
    [(15, Priority.TAIL, 5), (10, Priority.BACKFILL, 5), (7, Priority.TAIL, 2), (5.5, Priority.TAIL, 0),
     (90, Priority.TAIL, 20), (15, Priority.VERIFY, 0), (15, Priority.STRANGER, 0)],
)  # fmt: skip
def test_who_is_lucky_goes_before_reads(tokens: float, priority: Priority, count: int) -> None:
    """Reads that go to WorkOS because the copy is old must not keep it from ever getting young; a few are enough."""
    _, granted = buckets.grant(holding(tokens), NOON, PLAN, priority, 20, lucky=True)
    assert granted.count == count


@pytest.mark.parametrize("priority", list(Priority))
def test_who_waits_as_long_as_told_is_served(priority: Priority) -> None:
    """Also at the slowest pace there is: no reserve is larger than what a slow bucket holds."""
    slow = holding(0, pace=buckets.SLOWEST)
    _, refused = buckets.grant(slow, NOON, PLAN, priority, 1)
    _, granted = buckets.grant(slow, at(refused.wait + 0.1), PLAN, priority, 1)
    assert (refused.count, granted.count) == (0, 1)
    assert refused.wait < WINDOW


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(None, 1.0), (0.2, 1.0), (30.0, 30.0), (86_400.0, LONGEST_BLOCK)],
)
def test_a_429_stops_everybody_for_so_long(retry_after: float | None, seconds: float) -> None:
    """As long as WorkOS asks, within reason; then everybody goes on at half the pace, with an empty bucket."""
    after = buckets.slowed(holding(100), NOON, PLAN, retry_after)
    assert (after.blocked(NOON), after.tokens, after.pace) == (seconds, 0.0, 0.5)
    assert buckets.grant(after, at(seconds - 0.1), PLAN, Priority.TAIL, 1)[1].count == 0
    assert buckets.settled(after, at(seconds), PLAN).tokens == 0.0


def test_many_429s_at_once_are_one() -> None:
    """What was under way when the first came says nothing new; a later one does."""
    first = buckets.slowed(holding(100), NOON, PLAN, 1.0)
    second = buckets.slowed(first, at(2), PLAN, 1.0)
    third = buckets.slowed(second, at(8), PLAN, 1.0)
    assert second.pace == pytest.approx(0.5, abs=0.02)
    assert third.pace < 0.3


def test_the_pace_recovers_by_itself() -> None:
    """Two minutes after the last 429 nothing is left of it."""
    slow = buckets.slowed(holding(100), NOON, PLAN, 10.0)
    assert buckets.settled(slow, at(10 + buckets.RECOVERY), PLAN).pace == 1.0


def test_hours_of_spurious_429s_stop_no_write_for_ever() -> None:
    """Though every request is answered 429, a write is tried every ten seconds."""
    bucket, tried = holding(100), 0
    for second in range(3600):
        bucket = buckets.slowed(bucket, at(second), PLAN, 60.0)
        bucket, granted = buckets.grant(bucket, at(second), PLAN, Priority.WRITE, 10)
        tried += granted.count
    assert tried == 360


def test_a_clock_that_is_set_back_makes_no_block_longer() -> None:
    """By the new clock, too, everybody goes on after two minutes, and writes are tried."""
    ahead = buckets.slowed(replace(holding(0), refilled_at=at(86_400)), at(86_400), PLAN, 60.0)
    settled = buckets.settled(ahead, NOON, PLAN)
    assert settled.blocked(NOON) == LONGEST_BLOCK
    assert buckets.grant(settled, NOON, PLAN, Priority.WRITE, 1)[1].count == 1
    assert buckets.grant(settled, at(LONGEST_BLOCK + 1), PLAN, Priority.TAIL, 1)[1].count in {0, 1}
    assert buckets.settled(settled, at(LONGEST_BLOCK + 10), PLAN).tokens > 1


def test_the_last_minute_is_counted() -> None:
    """What all processes together were granted; a minute later nothing is left of it."""
    bucket, granted = buckets.grant(Bucket(), NOON, PLAN, Priority.WRITE, 60)
    assert (granted.count, bucket.used(NOON)) == (60, 60)
    half = buckets.settled(bucket, at(90), PLAN)
    assert buckets.settled(bucket, at(60), PLAN).used(at(90)) == 30
    assert half.used(at(150)) <= 60
    assert buckets.settled(bucket, at(120), PLAN).used(at(120)) == 0


steps = st.tuples(
    st.floats(0, 30), st.sampled_from(Priority), st.integers(1, 200), st.sampled_from(["grant", "return", "429"])
)


@given(st.integers(60, 10_000), st.lists(steps, max_size=60))
def test_no_window_grants_more_than_the_limit(limit: int, story: list[tuple[float, Priority, int, str]]) -> None:
    """Whoever asks, returns or is slowed down, and whenever: also with what is spent as late as it may be."""
    plan, bucket, now, grants = Plan(limit), Bucket(), 0.0, []
    for wait, priority, ask, what in story:
        now += wait
        if what == "429":
            bucket = buckets.slowed(bucket, at(now), plan, wait)
        else:
            bucket, granted = buckets.grant(bucket, at(now), plan, priority, ask)
            if what == "return":
                bucket, granted = buckets.returned(bucket, at(now), plan, granted.count), buckets.Grant(0)
            grants.append((now, granted.count))
        assert 0 <= bucket.tokens <= plan.capacity
        assert buckets.SLOWEST <= bucket.pace <= 1
    for begin, _ in grants:
        assert sum(count for then, count in grants if begin <= then <= begin + WINDOW + EXPIRY) <= limit


@pytest.mark.parametrize("seed", range(5))
def test_after_a_429_there_is_no_herd(seed: int) -> None:
    """Of fifty processes that all wait for the end of a block, each second brings no more than half the pace."""
    dice = random.Random(seed)  # noqa: S311  a test's dice
    bucket, sent = buckets.slowed(holding(100), NOON, PLAN, 30.0), Counter[int]()
    awake = [(dice.random(), number, 1) for number in range(50)]
    heapq.heapify(awake)
    while awake[0][0] < 60:
        now, number, ask = heapq.heappop(awake)
        bucket, granted = buckets.grant(bucket, at(now), PLAN, Priority.TAIL, ask)
        sent[int(now)] += granted.count
        wait = granted.count / 10 if granted.count else buckets.nap(granted.wait, dice.random())
        heapq.heappush(awake, (now + wait, number, min(20, ask * 2) if granted.count else 1))
    assert sum(sent[second] for second in range(30)) == 0
    assert max(sent[second] for second in range(30, 40)) <= PLAN.rate * 0.7
    assert sum(sent.values()) > PLAN.rate * 0.3 * 25


def test_every_priority_has_its_reserve() -> None:
    """In the order in which they go."""
    assert list(RESERVE) == list(Priority)
    assert sorted(RESERVE.values()) == list(RESERVE.values())
