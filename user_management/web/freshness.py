"""The headers that say how old an answer may be; on every read, also on one that found nothing."""

from asyncpg import Record

from user_management.journal import freshness
from user_management.journal.freshness import Freshness
from user_management.journal.timestamps import render


def judged(row: Record, stale_after: float) -> Freshness:
    """How fresh the copy was when a row of `read` was made."""
    return freshness.judge(
        now=row["now"], drained_at=row["drained_at"], ready_at=row["ready_at"], stale_after=stale_after
    )


def headers(found: Freshness, position: int | None) -> dict[str, str]:
    """The freshness as headers; without an age while it cannot be told."""
    told = {"Replica-State": found.state.value, "Replica-Position": str(position or 0)}
    if found.as_of is not None:
        told["Replica-As-Of"] = render(found.as_of)
    if found.age is not None:
        told["Age"] = str(found.age)
    return told


def of_row(row: Record, stale_after: float) -> dict[str, str]:
    """The headers of an answer made from a row of `read`."""
    return headers(judged(row, stale_after), row["position"])
