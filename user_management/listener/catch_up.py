"""Catching up after a long stop: stretches of the feed are fetched side by side, and recorded one after the other.

Time only finds places: the first event the feed shows of those later than a moment. From one place to the next the
feed is read in its own order, and a stretch counts once it has met the place where the next one begins, and the event
behind it. So what is recorded is what page after page would have brought, in the same order, and the cursor moves with
every page: a crash, or another leader, goes on from there. Nothing is assumed of how far the feed's order departs from
that of times; a stretch that does not meet its end ends the round, and the next begins at the cursor.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog

from user_management.errors import Wait
from user_management.journal import cursor as cursors
from user_management.journal.cursor import Cursor
from user_management.journal.entries import named
from user_management.journal.timestamps import parse
from user_management.listener import pull
from user_management.listener.doubt import HOLD_BACK
from user_management.listener.pull import Fetched
from user_management.listener.worker import Listener
from user_management.services.workos import events
from user_management.services.workos.bucket import Priority
from user_management.services.workos.errors import BadAnswer
from user_management.telemetry import metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

LONG = timedelta(minutes=30)
"""How far behind we must be for it to pay."""
LIMIT = events.LIMIT - 1
"""Events asked for at once: fewer than polls ask for, so that nothing on the way takes one question for another."""
SIDE_BY_SIDE = 8
"""Stretches that are fetched at once; each is held in memory until its turn."""
PAGES = 5
"""Pages a stretch should come to."""
MOST = 25
"""Pages after which a stretch is broken off, so that what waits for its turn has a bound."""
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=1)
TRIES = 5
"""Times a page is asked for, before the daemon is told that WorkOS is away."""
PATIENCE = 10.0
"""Seconds of a wait between two tries; for a longer one the daemon is told, which logs it."""
TOLD = 5.0
"""Seconds between two lines about how far we are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The feed from the first event later than `start` up to and with the first later than `end`."""

    start: datetime
    end: datetime


@dataclass(slots=True)
class Plan:
    """The stretches still to come, as long as the density of the events so far suggests."""

    at: datetime
    horizon: datetime
    length: timedelta

    def next(self) -> Stretch | None:
        """The next stretch; None when what is left is not old enough."""
        if self.at >= self.horizon:
            return None
        begun, self.at = self.at, min(self.at + self.length, self.horizon)
        return Stretch(begun, self.at)

    def learn(self, stretch: Stretch, count: int) -> None:
        """Make the stretches to come longer or shorter, by how many events one of them held."""
        wanted = LIMIT * PAGES
        factor = min(max(wanted / max(count, 1), 0.25), 4.0)
        self.length = min(max((stretch.end - stretch.start) * factor, SHORTEST), LONGEST)


@dataclass(slots=True)
class Part:
    """The pages of one stretch."""

    pages: list[Fetched] = field(default_factory=list)
    whole: bool = False
    """Whether they reach the place where the next stretch begins."""
    follower: str | None = None
    """The event behind that place: the next stretch must begin with it."""

    @property
    def first(self) -> str | None:
        """The event it begins with."""
        return next((name for one in self.pages for name in ids(one.page.events)), None)

    @property
    def count(self) -> int:
        """How many events it holds."""
        return sum(len(one.page.events) for one in self.pages)


def due(cursor: Cursor, page: events.Page) -> bool:
    """Whether we are so far behind that it pays: a full page, whose last event is old."""
    times = happened(page)
    return not page.end and cursor.now is not None and bool(times) and cursor.now - max(times) > LONG


def happened(page: events.Page) -> list[datetime]:
    """When the events of a page happened, those that say so."""
    told = (parse(event.get("created_at")) for event in page.events if isinstance(event, dict))
    return [at for at in told if at is not None]


def ids(told: Sequence[Any]) -> list[str]:
    """The ids of events, those that have one."""
    found = (named(event.get("id")) for event in told if isinstance(event, dict))
    return [name for name in found if name is not None]


def plan(now: datetime, page: events.Page) -> Plan:
    """What is to be fetched behind a page, up to where no hold-back reaches any more; its times tell how dense."""
    times = happened(page)
    return Plan(max(times), now - HOLD_BACK, min(max((max(times) - min(times)) * PAGES, SHORTEST), LONGEST))


async def run(listener: Listener, page: events.Page) -> int:
    """Record what is behind the page that was just committed, up to a hold-back ago at most; how many were new.

    Every page is committed with the cursor, so whatever ends this early loses nothing.
    """
    async with listener.pool.acquire() as connection:
        cursor = await cursors.read(connection)
    plans, new, told = plan(cursor.now or datetime.now(UTC), page), 0, time.monotonic()
    began = plans.at
    async with aclosing(in_order(listener, cursor, plans)) as parts:
        async for part in parts:
            for fetched in part.pages:
                count, cursor = await keep(listener, fetched, cursor)
                new += count
            if time.monotonic() - told >= TOLD:
                told = time.monotonic()
                log.info("feed.catching_up", since=began, reached=cursor.event_at, until=plans.horizon, events=new)
    log.info("feed.caught_up", since=began, until=cursor.event_at, events=new)
    return new


async def in_order(listener: Listener, cursor: Cursor, plans: Plan) -> AsyncGenerator[Part, None]:
    """One stretch after the other, while those behind it are being fetched; one that is not whole is the last."""
    place: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    place.set_result(cursor.event_id)
    follower, begun, places = None, deque[tuple[Stretch, asyncio.Task[Part]]](), [place]
    try:
        while True:
            while len(begun) < SIDE_BY_SIDE and (stretch := plans.next()) is not None:
                places.append(asyncio.create_task(locate(listener, stretch.end)))
                begun.append((stretch, asyncio.create_task(fetch(listener, cursor, *places[-2:]))))
            if not begun:
                return
            part = await begun[0][1]
            if follower is not None and part.first not in {follower, None}:
                return
            plans.learn(begun.popleft()[0], part.count)
            yield part
            if not part.whole:
                return
            follower = part.follower or follower
    finally:
        tasks: list[asyncio.Future[Any]] = [*(task for _, task in begun), *places]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fetch(listener: Listener, cursor: Cursor, begin: Awaitable[str | None], end: Awaitable[str | None]) -> Part:
    """The pages from behind one place up to and with another, or as far as there are some, or as they may be many."""
    after, wanted = await begin, await end
    part, chain = Part(whole=after is not None and after == wanted), [after] if after is not None else []
    while chain and not part.whole and len(part.pages) < MOST:
        fetched = await patiently(listener, partial(ask, listener, cursor, chain))
        names = ids(fetched.page.events)
        if wanted in names[:-1]:
            return Part([*part.pages, up_to(fetched, wanted)], whole=True, follower=names[names.index(wanted) + 1])
        part.pages.append(fetched)
        chain = [] if fetched.page.end or not names else [*chain, *names][-2:]
    return part


async def ask(listener: Listener, cursor: Cursor, chain: Sequence[str]) -> Fetched:
    """The page behind the last of a chain of events; it must begin with that one, so is asked for from before it."""
    workos = listener.workos.at(Priority.TAIL)
    asked_at, began = datetime.now(UTC), time.time_ns()
    page = await events.page(workos, types=listener.types, after=chain[0], since=None, limit=LIMIT)
    if ids(page.events)[: len(chain) - 1] != list(chain[1:]):
        raise BadAnswer("WorkOS answered with a page of events from another place than was asked for")
    return Fetched(page, cursor, asked_at, began, time.time_ns())


def up_to(fetched: Fetched, event_id: str | None) -> Fetched:
    """A page without what is behind an event."""
    place = next(i for i, one in enumerate(fetched.page.events) if ids([one]) == [event_id])
    return replace(fetched, page=events.Page(fetched.page.events[: place + 1], end=False))


async def locate(listener: Listener, moment: datetime) -> str | None:
    """The first event the feed shows of those later than a moment; None if there is none, or it has no id."""
    workos = listener.workos.at(Priority.TAIL)
    page = await patiently(
        listener, lambda: events.page(workos, types=listener.types, after=None, since=moment, limit=1)
    )
    return next(iter(ids(page.events)), None)


async def patiently(listener: Listener, work: Callable[[], Awaitable[T]]) -> T:
    """What WorkOS answers, asked again a few times while it is away or asks to wait a little."""
    backoff = listener.backoff()
    while True:
        try:
            return await work()
        except Wait as error:
            wait = backoff.next(error.retry_after)
            if backoff.failures >= TRIES or wait > PATIENCE:
                raise
        metrics.retries.add(1, {"work": "poll", "reason": "waiting"})
        await asyncio.sleep(wait)


async def keep(listener: Listener, fetched: Fetched, cursor: Cursor) -> tuple[int, Cursor]:
    """Commit a page as a poll would, who waited for its turn; how many events were new, and where the cursor is."""
    asked_at = datetime.now(UTC) - timedelta(microseconds=(fetched.ended - fetched.began) / 1000)
    page = events.Page(fetched.page.events, end=False)
    pulled = await pull.commit(
        listener.pool, listener.resources, replace(fetched, page=page, cursor=cursor, asked_at=asked_at)
    )
    pull.report_parked(pulled)
    if listener.hears:
        pull.report_missed(pulled)
    new = len(pulled.recorded.entries) if pulled.recorded else 0
    if pulled.place is None:
        return new, cursor
    return new, replace(cursor, event_id=pulled.place.event_id, event_at=pulled.place.occurred_at)
