"""One pull: a page of events fetched, journalled, applied and the cursor moved behind it, all or nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from opentelemetry import trace

from user_management.db.session import Connection, Pool, transaction
from user_management.errors import Misconfigured
from user_management.journal import cursor as cursors
from user_management.journal import entries
from user_management.journal.cursor import Cursor
from user_management.journal.entries import Entry, Lane
from user_management.listener import delay, doubt, rereads
from user_management.listener.doubt import HOLD_BACK, CursorLost, Trust
from user_management.mirror.engine.record import Recorded, record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import events
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import Refused
from user_management.telemetry import metrics, spans

log = structlog.get_logger(__name__)


class CursorRefused(Refused):
    """WorkOS no longer knows the event, or the time, our cursor stands at: older than the feed, or of another one."""

    def __init__(self, refused: Refused, cursor: Cursor) -> None:
        super().__init__(refused.refusal)
        self.cursor = cursor


EMPTY = timedelta(days=1)
"""How far before the last end of a feed that was empty it is read again: clocks may differ, and it costs nothing."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it came, the cursor it was fetched behind and when it was asked for."""

    page: events.Page
    cursor: Cursor
    asked_at: datetime
    began: int = 0
    ended: int = 0
    """When the request was sent and its answer there, in ns since 1970."""
    asked: float = field(default_factory=time.monotonic)
    """When it was asked for, by a clock that nobody sets."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought: the entries that were new, and whether it reached the end of the feed."""

    recorded: Recorded | None
    drained: bool
    moved: bool = False
    """Whether the cursor moved; it does over known events too, if they lie before us and not behind."""
    place: Entry | None = None
    """The event it moved to."""

    @property
    def more(self) -> bool:
        """Whether to go on at once: there is more, and this page brought us forward."""
        return self.moved and not self.drained


async def fetch(pool: Pool, workos: WorkOS, types: Sequence[str]) -> Fetched:
    """The page behind the cursor; an event type WorkOS does not know is the operator's to take out."""
    async with pool.acquire() as connection:
        cursor = await cursors.read(connection)
    asked_at, began, asked = datetime.now(UTC), time.time_ns(), time.monotonic()
    try:
        page = await events.page(workos, types=types, after=cursor.event_id, since=cursor.since(EMPTY))
    except Refused as refused:
        if any(error.get("code") == "unknown_event_type" for error in refused.refusal.errors):
            hint = "Name the event type in USER_MANAGEMENT_IGNORED_EVENT_TYPES to go on without it."
            raise Misconfigured(f"{refused}. {hint}") from refused
        placed = cursor.event_id is not None or doubt.trust(cursor) is Trust.EXPIRED
        if placed and await answers(workos, types, (cursor.now or asked_at) - HOLD_BACK):
            raise CursorRefused(refused, cursor) from refused
        raise
    if doubt.trust(cursor) is Trust.EXPIRED:  # only now that WorkOS answers: before, beginning again would be no help
        raise CursorLost("the end of the feed was not reached for too long", cursor)
    return Fetched(page, cursor, asked_at, began, time.time_ns(), asked)


async def answers(workos: WorkOS, types: Sequence[str], since: datetime) -> bool:
    """Whether the feed answers when it is asked from a time on: then it was the cursor that was refused."""
    try:
        await events.page(workos, types=types, after=None, since=since, limit=1)
    except Refused:
        return False
    return True


async def commit(pool: Pool, resources: Sequence[Resource], fetched: Fetched) -> Pulled:
    """Record a fetched page and move the cursor, in one transaction; `CursorMoved` if another listener was faster."""
    began = time.perf_counter()
    told = [entries.of_event(event, received_at=fetched.asked_at) for event in fetched.page.events]
    async with transaction(pool) as connection:
        recorded = await record(connection, resources, told) if told else None
        if recorded is not None:
            await rereads.note(connection, resources, recorded)
        place = await ahead(connection, told, recorded.entries if recorded else (), fetched.cursor)
        if place is not None and place.event_id is not None:
            await cursors.advance(connection, old=fetched.cursor, event_id=place.event_id, event_at=place.occurred_at)
        drained = fetched.page.end and (place is not None or not any(entry.identified for entry in told))
        if drained:
            behind = fetched.cursor.event_id if place is None else place.event_id
            await cursors.drained(connection, await clock_at(connection, fetched.asked), behind=behind)
        if recorded is not None and spans.recording():
            await link_writes(connection, recorded)
    if recorded is not None:
        report(recorded, Lane.EVENTS, began=began)
        report_delay(recorded, fetched)
    return Pulled(recorded, drained, moved=place is not None, place=place)


async def clock_at(connection: Connection, asked: float) -> datetime:
    """What the database's clock showed, at the latest, at a moment of `time.monotonic`; never later than it was.

    The time since is measured once the clock was told: a database that takes long to tell it makes nothing fresher.
    """
    now = await cursors.clock(connection)
    return now - timedelta(seconds=time.monotonic() - asked)


async def ahead(connection: Connection, told: Sequence[Entry], new: Sequence[Entry], cursor: Cursor) -> Entry | None:
    """The event of a page that the cursor moves to: the last, if any of the page is new or it is not behind us.

    Whatever is behind us the journal holds, so a page with something new is no old one, and its last event, known or
    not, is where we are. A page of nothing but events from behind the cursor is an old answer, which says nothing of
    the end. One of known events before us is not: after a cursor was lost, the journal is ahead of it. Which is which
    the journal's own order tells; times may be equal, or descend.
    """
    last = next((entry for entry in reversed(told) if entry.identified), None)
    if last is None or last.event_id is None or cursor.event_id is None or any(one.identified for one in new):
        return last
    positions = await entries.positions(connection, [cursor.event_id, last.event_id])
    return last if positions.get(last.event_id, 0) > positions.get(cursor.event_id, 0) else None


async def link_writes(connection: Connection, recorded: Recorded) -> None:
    """Link the page to the traces of the writes, made through us, whose events it brought back."""
    about = {entry.object_id: entry for entry in reversed(recorded.entries) if entry.object_id is not None}
    page = trace.get_current_span()
    for object_id, written in (await entries.origins(connection, list(about))).items():
        event_id = about[object_id].event_id or ""
        spans.link(page, written, {"user_management.object.id": object_id, "user_management.event.id": event_id})


def report_delay(recorded: Recorded, fetched: Fetched) -> None:
    """Count how long after it happened each event could be read here, and where that time went."""
    answered = fetched.asked_at + timedelta(microseconds=(fetched.ended - fetched.began) / 1000)
    marks = delay.Marks(fetched.cursor.drained_at, fetched.asked_at, answered, committed=datetime.now(UTC))
    for entry in recorded.entries:
        delay.report(entry.occurred_at, marks)


def report_parked(pulled: Pulled) -> None:
    """Log each entry of a page that was parked."""
    for failure in pulled.recorded.failures if pulled.recorded else ():
        log.error("entry.parked", position=failure.position, resource=failure.resource, error=failure.error)


def report_missed(pulled: Pulled) -> None:
    """Count the events of a page that no webhook had told."""
    if pulled.recorded is not None:
        metrics.webhooks_missed.add(sum(1 for entry in pulled.recorded.entries if entry.announced_at is None))


def summary(pulled: Pulled) -> spans.Attributes:
    """What a trace says of a page: how many entries came to what, and whose ids they bear."""
    kept = pulled.recorded.entries if pulled.recorded else ()
    counts = pulled.recorded.counts if pulled.recorded else {}
    return {
        "user_management.entries": len(kept),
        "user_management.drained": pulled.drained,
        "user_management.position": pulled.recorded.head if pulled.recorded else 0,
        "user_management.event.ids": [entry.event_id or "" for entry in kept],
        "user_management.object.ids": [entry.object_id or "" for entry in kept],
        **{f"user_management.entries.{verdict}": count for verdict, count in counts.items()},
    }
