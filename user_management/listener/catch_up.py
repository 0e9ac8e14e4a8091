"""Catching up after a long stop: stretches of time are fetched side by side, and recorded in their order.

The feed's order need not be that of times. So nothing moves the cursor here: it stays where it is until every stretch
is recorded, and a crash begins again from there (what is known is dropped). Only what is older than any hold-back is
fetched so, from a hold-back before the cursor's event on; and the last step goes over from a hold-back before the
last stretch's end, by time, through the usual poll, which meets known events first.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from user_management.db.session import Pool, transaction
from user_management.journal import cursor as cursors
from user_management.journal import entries
from user_management.journal.cursor import Cursor
from user_management.journal.entries import Entry, Lane
from user_management.journal.timestamps import parse
from user_management.listener.doubt import HOLD_BACK
from user_management.mirror.engine.record import record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import events
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer

log = structlog.get_logger(__name__)

LONG = timedelta(minutes=30)
"""How far behind we must be for it to pay."""
SIDE_BY_SIDE = 4
"""Stretches that are fetched at once; each is held in memory until its turn."""
PAGES = 5
"""Pages a stretch should come to."""
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=1)
TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events that happened from `start` on, before `end`."""

    start: datetime
    end: datetime


@dataclass(slots=True)
class Plan:
    """The stretches still to come, as long as the density of the events so far suggests."""

    at: datetime
    horizon: datetime
    length: timedelta
    waiting: deque["asyncio.Task[list[Any]]"] = field(default_factory=deque)

    def next(self) -> Stretch | None:
        """The next stretch; None when what is left is not old enough."""
        if self.at >= self.horizon:
            return None
        begun, self.at = self.at, min(self.at + self.length, self.horizon)
        return Stretch(begun, self.at)

    def learn(self, stretch: Stretch, count: int) -> None:
        """Make the stretches to come longer or shorter, by how many events one of them held."""
        wanted = events.LIMIT * PAGES
        factor = min(max(wanted / max(count, 1), 0.25), 4.0)
        self.length = min(max((stretch.end - stretch.start) * factor, SHORTEST), LONGEST)


def due(cursor: Cursor, page: events.Page) -> bool:
    """Whether we are so far behind that it pays: a full page, whose last event is old."""
    if page.end or cursor.event_at is None or cursor.now is None:
        return False
    newest = max((at for one in page.events if (at := happened(one)) is not None), default=cursor.event_at)
    return cursor.now - newest > LONG


def happened(event: Any) -> datetime | None:
    """When an event happened, if it says so."""
    return parse(event.get("created_at")) if isinstance(event, dict) else None


def plan(cursor: Cursor, page: events.Page) -> Plan:
    """What is to be fetched: from before the cursor's event up to where no hold-back reaches any more."""
    assert cursor.event_at is not None  # noqa: S101  narrows: `due` has seen to it
    assert cursor.now is not None  # noqa: S101  likewise
    times = [at for one in page.events if (at := happened(one)) is not None]
    span = max(times) - min(times) if times else SHORTEST
    return Plan(cursor.event_at - HOLD_BACK, cursor.now - HOLD_BACK, min(max(span * PAGES, SHORTEST), LONGEST))


async def run(  # noqa: PLR0917  where, from whom, for what, and from which place on
    pool: Pool,
    workos: WorkOS,
    resources: Sequence[Resource],
    types: Sequence[str],
    cursor: Cursor,
    page: events.Page,
) -> int:
    """Record everything up to a hold-back ago, then leave the rest to the usual poll; how many events were new."""
    plans, new = plan(cursor, page), 0
    began = plans.at
    async with aclosing(in_order(workos, types, plans)) as batches:
        async for batch in batches:
            new += await keep(pool, resources, batch, plans.horizon)
    async with transaction(pool) as connection:
        await cursors.leap(connection, old=cursor, boundary=plans.horizon - HOLD_BACK)
    log.info("feed.caught_up", since=began, until=plans.horizon, events=new)
    return new


async def in_order(workos: WorkOS, types: Sequence[str], plans: Plan) -> AsyncGenerator[list[Any], None]:
    """The events of one stretch after the other, while those behind it are being fetched."""
    begun: deque[Stretch] = deque()
    try:
        while True:
            while len(plans.waiting) < SIDE_BY_SIDE and (stretch := plans.next()) is not None:
                begun.append(stretch)
                plans.waiting.append(asyncio.create_task(fetch(workos, types, stretch)))
            if not plans.waiting:
                return
            found = await plans.waiting[0]
            plans.waiting.popleft()
            plans.learn(begun.popleft(), len(found))
            yield found
    finally:
        for task in plans.waiting:
            task.cancel()
        await asyncio.gather(*plans.waiting, return_exceptions=True)


async def fetch(workos: WorkOS, types: Sequence[str], stretch: Stretch) -> list[Any]:
    """The events of a stretch: by time for the first page, then page by page, until one lies behind its end."""
    page = await events.page(workos, types=types, after=None, since=stretch.start - TICK)
    found: list[Any] = []
    while True:
        within = [one for one in page.events if (at := happened(one)) is None or at < stretch.end]
        found += within
        last = next((one["id"] for one in reversed(page.events) if isinstance(one, dict) and one.get("id")), None)
        if page.end or len(within) < len(page.events):
            return found
        if last is None:
            raise BadAnswer("WorkOS answered a whole page of events without ids")
        page = await events.page(workos, types=types, after=last, since=None)


async def keep(pool: Pool, resources: Sequence[Resource], found: Sequence[Any], now: datetime) -> int:
    """Record the events of a stretch, a page at a time, each in a transaction of its own; how many were new."""
    new = 0
    for start in range(0, len(found), events.LIMIT):
        told: list[Entry] = [entries.of_event(one, received_at=now) for one in found[start : start + events.LIMIT]]
        began = asyncio.get_running_loop().time()
        async with transaction(pool) as connection:
            recorded = await record(connection, resources, told)
        report(recorded, Lane.EVENTS, began=began)
        for failure in recorded.failures:
            log.error("entry.parked", position=failure.position, resource=failure.resource, error=failure.error)
        new += len(recorded.entries)
    return new
