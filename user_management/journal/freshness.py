"""Freshness: how old the copy may be, decided in one place for the API, the command line and the listener."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What the copy is worth right now."""

    LIVE = "live"
    STALE = "stale"
    BACKFILLING = "backfilling"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The state, up to when the copy is complete, its age in whole seconds if that is known, why it is not live."""

    state: State
    as_of: datetime | None = None
    age: int | None = None
    reason: str | None = None


AHEAD = 5.0
"""Seconds a time may lie ahead of the clock that wrote it; more, and the clock was set back."""


def judge(*, now: datetime, drained_at: datetime | None, ready_at: datetime | None, stale_after: float) -> Freshness:
    """How fresh a copy is that last reached the feed's end at `drained_at` and may be `stale_after` seconds old.

    `now` is the time by the clock that `drained_at` was written by, the database's.
    """
    if drained_at is None:
        return Freshness(State.BACKFILLING, reason="the first backfill has not finished")
    seconds = (now - drained_at).total_seconds()
    age = int(max(0.0, seconds)) if seconds >= -AHEAD else None
    if ready_at is None:
        return Freshness(State.BACKFILLING, drained_at, age, "the first backfill has not finished")
    if age is None:
        reason = f"the feed's end was last reached {-seconds:.0f} s from now: the database's clock was set back"
        return Freshness(State.STALE, drained_at, None, reason)
    if seconds > stale_after:
        reason = f"the feed's end was last reached {age} s ago; the limit is {stale_after:g} s"
        return Freshness(State.STALE, drained_at, age, reason)
    return Freshness(State.LIVE, drained_at, age)
