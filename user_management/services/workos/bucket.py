"""The bucket all processes with one API key drink from: who may send how many requests now. Pure; times are given."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = 60.0
"""Seconds of the window WorkOS counts in."""
EXPIRY = 5.0
"""Seconds after which what was leased and not spent is void: what one window grants is not spent in another."""
LONGEST_BLOCK = 120.0
"""Seconds everybody stands still at most after a 429; what WorkOS asks beyond that is not believed for all."""
SHORTEST_BLOCK = 1.0
"""Seconds everybody stands still after a 429 that names none."""
ONE_CUT = 5.0
"""Seconds within which any number of 429s is one: requests under way at the first say nothing new."""
SLOWEST = 1 / 64
"""The part of the full pace below which no 429 takes us."""
RECOVERY = 120.0
"""Seconds in which the pace rises from nothing to full, if nobody asks to slow down."""
PROBE = 10.0
"""Seconds after which a write is tried although everybody stands still: a spurious block must not last for ever."""
LEAST = 10.0
"""Tokens a bucket holds at least, so that every reserve leaves some."""


class Priority(StrEnum):
    """What a request is for; the first goes first."""

    WRITE = "write"
    READ = "read"
    TAIL = "tail"
    BACKFILL = "backfill"
    VERIFY = "verify"
    STRANGER = "stranger"
    """Passed on for somebody who does not have our key."""


RESERVE = {
    Priority.WRITE: 0.0,
    Priority.READ: 0.1,
    Priority.TAIL: 0.2,
    Priority.BACKFILL: 0.4,
    Priority.VERIFY: 0.6,
    Priority.STRANGER: 0.8,
}
"""The part of a bucket that is left to those who go before."""
FLOOR = 0.05
"""The part that the favoured leave, less than reads do: these could else keep away for good what ends their need."""
FAVOURED = frozenset({Priority.TAIL, Priority.BACKFILL})
"""What makes reads come from the copy again: now and then it goes before them."""
FEW = 5
"""The most that is leased so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What WorkOS allows: so many requests in a window."""

    limit: int = 6000

    @property
    def capacity(self) -> float:
        """The most tokens at once: a second's worth."""
        return max(LEAST, self.limit / WINDOW)

    @property
    def rate(self) -> float:
        """Tokens a second at full pace: a full bucket and what flows in for a window and an expiry are in the limit."""
        return max(0.1, (self.limit - self.capacity) * 0.85 / WINDOW)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket as it stood at `refilled_at`; one that was never used (None) is full."""

    tokens: float = 0.0
    refilled_at: datetime | None = None
    pace: float = 1.0
    """The part of the full rate at which it fills."""
    blocked_until: datetime | None = None
    slowed_at: datetime | None = None
    probed_at: datetime | None = None
    minute_at: datetime | None = None
    minute: int = 0
    minute_before: int = 0
    """Requests granted in the minute that began at `minute_at`, and in the one before."""

    def blocked(self, now: datetime) -> float:
        """Seconds for which everybody still stands still."""
        return max(0.0, between(now, self.blocked_until)) if self.blocked_until else 0.0

    def used(self, now: datetime) -> float:
        """The requests granted within the last minute, as two counted minutes tell."""
        gone = min(1.0, max(0.0, between(self.minute_at, now) / WINDOW)) if self.minute_at else 0.0
        return self.minute + self.minute_before * (1 - gone)


@dataclass(frozen=True, slots=True)
class Grant:
    """So many requests may be sent now; if none, it is worth asking again after `wait` seconds."""

    count: int
    wait: float = 0.0


def between(earlier: datetime | None, later: datetime | None) -> float:
    """The seconds from one moment to another; none where one is not known."""
    return (later - earlier).total_seconds() if earlier and later else 0.0


def size(bucket: Bucket, plan: Plan) -> float:
    """The most tokens at the bucket's pace: whoever goes slowly keeps less, so that reserves are soon filled."""
    return max(LEAST, plan.capacity * bucket.pace)


def settled(bucket: Bucket, now: datetime, plan: Plan) -> Bucket:
    """The bucket as it stands now: refilled, its pace recovered, its minutes turned. It stands still while blocked."""
    if bucket.refilled_at is None:
        return replace(bucket, tokens=plan.capacity, refilled_at=now, minute_at=now)
    until = bucket.blocked_until
    if until is not None:  # a clock that was set back must not make a block longer
        until = min(until, now + timedelta(seconds=LONGEST_BLOCK))
    since = max(bucket.refilled_at, until) if until is not None else bucket.refilled_at
    seconds = max(0.0, between(since, now))
    pace = min(1.0, bucket.pace + seconds / RECOVERY)
    grown = replace(bucket, pace=pace, refilled_at=now, blocked_until=until if until and until > now else None)
    tokens = min(size(grown, plan), bucket.tokens + seconds * plan.rate * bucket.pace)
    return turned(replace(grown, tokens=tokens), now)


def turned(bucket: Bucket, now: datetime) -> Bucket:
    """The bucket with its minutes turned if the newer one is over."""
    passed = between(bucket.minute_at, now)
    if 0 <= passed < WINDOW:
        return bucket
    before = bucket.minute if passed < 2 * WINDOW else 0
    return replace(bucket, minute_at=now, minute=0, minute_before=max(0, before))


def grant(
    bucket: Bucket, now: datetime, plan: Plan, priority: Priority, ask: int, *, lucky: bool = False
) -> tuple[Bucket, Grant]:
    """Lease up to `ask` requests of a priority; the bucket as it is then. Whoever is `lucky` may be favoured."""
    stands = settled(bucket, now, plan)
    blocked = stands.blocked(now)
    if blocked and not (priority is Priority.WRITE and probing(stands, now)):
        return stands, Grant(0, blocked)
    if blocked:
        return spent(replace(stands, probed_at=now), 1), Grant(1)
    spare = stands.tokens - RESERVE[priority] * size(stands, plan)
    count = min(ask, int(spare))
    if count < 1 and lucky and priority in FAVOURED:
        count = min(ask, FEW, int(stands.tokens - FLOOR * size(stands, plan)))
    if count < 1:
        return stands, Grant(0, (1.0 - spare) / (plan.rate * stands.pace))
    return spent(stands, count), Grant(count)


def probing(bucket: Bucket, now: datetime) -> bool:
    """Whether it is time to try a write although everybody stands still."""
    passed = between(bucket.probed_at, now)
    return bucket.probed_at is None or passed >= PROBE or passed < 0


def spent(bucket: Bucket, count: int) -> Bucket:
    """The bucket with so many tokens less."""
    return replace(bucket, tokens=max(0.0, bucket.tokens - count), minute=bucket.minute + count)


def returned(bucket: Bucket, now: datetime, plan: Plan, count: int) -> Bucket:
    """The bucket with tokens that were leased and not spent."""
    stands = settled(bucket, now, plan)
    tokens = min(size(stands, plan), stands.tokens + count)
    return replace(stands, tokens=tokens, minute=max(0, stands.minute - count))


def slowed(bucket: Bucket, now: datetime, plan: Plan, retry_after: float | None) -> Bucket:
    """The bucket after a 429: empty, everybody stands still for so long, and then goes on at half the pace."""
    stands = settled(bucket, now, plan)
    wait = min(max(retry_after or 0.0, SHORTEST_BLOCK), LONGEST_BLOCK)
    until = max(now + timedelta(seconds=wait), stands.blocked_until or now)
    since = between(stands.slowed_at, now)
    if stands.slowed_at is not None and 0 <= since < ONE_CUT:
        return replace(stands, tokens=0.0, blocked_until=until)
    pace = max(SLOWEST, stands.pace / 2)
    return replace(stands, tokens=0.0, blocked_until=until, pace=pace, slowed_at=now)


def nap(wait: float, jitter: float) -> float:
    """How long to sleep when nothing was granted: not past `wait` by more than a quarter or two seconds, each a bit."""
    return max(0.01, min(wait, 10.0) + jitter * min(2.0, 0.1 + wait / 4))
