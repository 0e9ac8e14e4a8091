"""How long an event took from WorkOS into the copy, and where that time went."""

from dataclasses import dataclass
from datetime import datetime

from user_management.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Marks:
    """The moments of a page: the last poll that reached the end before it, its request, its answer, its commit."""

    drained: datetime | None
    asked: datetime
    answered: datetime
    committed: datetime


def parts(occurred: datetime, marks: Marks) -> dict[str, float]:
    """Seconds in four parts that add up to the delay of an event; clocks that differ make none of them negative.

    `source`: WorkOS surely held it back, for a poll that reached the end did not show it. `wait`: from there until we
    asked. `fetch`: the request. `apply`: until it was committed.
    """
    begun = before = min(occurred, marks.committed)
    found = {}
    for name, until in {
        "source": marks.drained or begun, "wait": marks.asked, "fetch": marks.answered, "apply": marks.committed
    }.items():  # fmt: skip
        now = min(max(until, before), marks.committed)
        found[name], before = (now - before).total_seconds(), now
    return found


def report(occurred: datetime, marks: Marks) -> None:
    """Count the delay of an event, as a whole and in its parts."""
    metrics.event_delay.record(max(0.0, (marks.committed - occurred).total_seconds()))
    for name, seconds in parts(occurred, marks).items():
        metrics.event_parts.record(seconds, name)
