"""The daemon: takes the lease, follows the feed, backfills beside it, outlives every outage, leaves when asked."""

import asyncio
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from opentelemetry.metrics import Observation
from opentelemetry.trace import SpanKind

from user_management.db.session import Pool, Unreachable
from user_management.errors import Conflict, UserManagementError, Wait
from user_management.journal import webhooks as pending
from user_management.listener import backfill, catch_up, doubt, lease, pull, rolling, start, webhooks
from user_management.listener.backoff import Backoff
from user_management.listener.burst import Burst
from user_management.listener.doubt import CursorLost, Doubt, Trust, trust
from user_management.listener.lease import LeaseLost
from user_management.listener.pull import CursorRefused, Fetched, Pulled
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import Refused
from user_management.telemetry import metrics, spans

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Leading:
    """Whether this process holds the lease."""

    now = False


leading = Leading()
metrics.gauge("user_management.listener.leading", "1 for the listener that is at work, 0 for those that stand by.",
              lambda: [Observation(int(leading.now))])  # fmt: skip

STANDBY = 1.0
"""Seconds between a standby's looks at the lease."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how patiently: in seconds.

    But for the deletions a backfill may confirm, and the days within which everything is verified once (0: never).
    """

    poll_interval: float = 2.0
    lease: float = 6.0
    backoff_initial: float = 0.5
    backoff_max: float = 60.0
    backfill_margin: float = 600.0
    backfill_max_deletions: int = 100
    verify_days: float = 0.0
    webhook_patience: float = 60.0
    doubt_after: float = 600.0
    """Without anything new for so long, our place in the feed is proven."""


def name_of_this_process() -> str:
    """Who holds the lease, in a form an operator can find: host, process and a random part."""
    return f"{socket.gethostname()}/{os.getpid()}/{os.urandom(3).hex()}"


@dataclass(slots=True)
class Listener:
    """One listener: what it works on, at what pace, and the event that asks it to leave."""

    pool: Pool
    workos: WorkOS
    resources: Sequence[Resource]
    types: Sequence[str]
    pace: Pace = field(default_factory=Pace)
    name: str = field(default_factory=name_of_this_process)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    hears: str = field(default="", repr=False)
    """The URL of the database where webhooks are heard of; none are expected without it."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    doubt: Doubt = field(default_factory=Doubt)

    def backoff(self) -> Backoff:
        """A fresh count of failures."""
        return Backoff(self.pace.backoff_initial, self.pace.backoff_max)


async def run(listener: Listener) -> None:
    """Work whenever the lease is ours, until asked to stop."""
    backoff, waiting = listener.backoff(), False
    while not listener.stopping.is_set():
        led = await attempt(listener, "lease", lambda: take_turn(listener), backoff)
        if led is False and not waiting:
            log.info("lease.waiting", listener=listener.name)
        waiting = led is False
        if waiting:
            await pause(listener, STANDBY)
    log.info("listener.stopped", listener=listener.name)


async def take_turn(listener: Listener) -> bool:
    """Lead until the lease is lost or we are asked to stop; False when somebody else holds it."""
    async with listener.pool.acquire() as connection:
        taken = await lease.take(connection, listener.name, listener.pace.lease)
    if not taken:
        return False
    log.info("lease.taken", listener=listener.name)
    leading.now = True
    try:
        await lead(listener)
    except* LeaseLost as lost:
        log.warning("lease.lost", listener=listener.name, error=str(lost.exceptions[0]))
    finally:
        leading.now = False
        async with listener.pool.acquire() as connection:
            await lease.give_back(connection, listener.name)
    return True


async def lead(listener: Listener) -> None:
    """Work and keep the lease, until asked to stop; `LeaseLost` ends the work at once."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_lease(listener))
        tasks.create_task(work(listener))


async def work(listener: Listener) -> None:
    """Set right what a start needs, then follow the feed and backfill beside it."""
    backoff, ready = listener.backoff(), None
    while ready is None and not listener.stopping.is_set():
        ready = await attempt(listener, "start", lambda: prepare(listener), backoff)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(tail(listener))
        tasks.create_task(fill(listener))
        tasks.create_task(verify_on(listener))
        tasks.create_task(settle(listener))
        if listener.hears:
            tasks.create_task(hear(listener))


async def prepare(listener: Listener) -> bool:
    """Make the copy followable."""
    await start.prepare(listener.pool, listener.resources, listener.types, margin=listener.pace.backfill_margin)
    return True


async def keep_lease(listener: Listener) -> None:
    """Renew the lease three times before it would run out; `LeaseLost` when that fails for too long."""
    renewed = time.monotonic()
    while not await pause(listener, listener.pace.lease / 3):
        try:
            async with asyncio.timeout(listener.pace.lease / 3), listener.pool.acquire() as connection:
                held = await lease.take(connection, listener.name, listener.pace.lease)
        except Unreachable as error:
            if time.monotonic() - renewed > listener.pace.lease:
                raise LeaseLost(f"the database did not renew it in time: {error}") from error
            continue
        if not held:
            raise LeaseLost("another listener has taken it")
        renewed = time.monotonic()


async def tail(listener: Listener) -> None:
    """Follow the feed: at once while there is more, else once every poll interval, more often after a webhook."""
    backoff, burst = listener.backoff(), Burst()
    while not listener.stopping.is_set():
        pulled = await attempt(listener, "poll", lambda: poll_in(listener, burst), backoff)
        if pulled is not None and not pulled.more:
            await rest(listener, burst)


async def poll_in(listener: Listener, burst: Burst) -> Pulled:
    """Poll; a burst ends once the feed has brought whatever webhooks told."""
    pulled = await follow(listener)
    if burst.on and not pulled.more:
        async with listener.pool.acquire() as connection:
            if not await pending.count(connection):
                burst.end()
    return pulled


async def rest(listener: Listener, burst: Burst) -> None:
    """Wait for the next poll. A webhook begins a burst, and never has two polls follow each other without a pause."""
    interval = listener.pace.poll_interval * (1 - random.random() / 5)  # noqa: S311  jitter
    waiting = {asyncio.ensure_future(event.wait()) for event in (listener.woken, listener.stopping)}
    try:
        await asyncio.wait(waiting, timeout=burst.next(interval), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if listener.woken.is_set():
        listener.woken.clear()
        burst.begin()
        await pause(listener, burst.next(interval))


async def follow(listener: Listener) -> Pulled:
    """Poll, and mind whether anything ever comes."""
    pulled = await poll(listener)
    if pulled.moved:
        listener.doubt.settle()
    else:
        await examine(listener)
    return pulled


async def examine(listener: Listener) -> None:
    """When nothing new came for long, prove that WorkOS still knows our place; a lost one is begun again."""
    if not listener.doubt.due(listener.pace.doubt_after):
        return
    workos = listener.workos.at(Priority.TAIL)
    try:
        await unless_stopping(listener.stopping, doubt.examine(listener.pool, workos, listener.types))
    except CursorLost as lost:
        await begin_again(listener, lost)
    listener.doubt.settle()


async def begin_again(listener: Listener, lost: CursorRefused | CursorLost) -> Pulled:
    """Give up our place in the feed: a new boundary, and a backfill."""
    reason = str(lost) if isinstance(lost, CursorLost) else None
    margin = listener.pace.backfill_margin
    await start.begin_again(listener.pool, listener.resources, lost.cursor, margin=margin, reason=reason)
    return Pulled(None, drained=False)


async def poll(listener: Listener) -> Pulled:
    """Fetch one page, unless asked to stop meanwhile, and commit it; a cursor that is refused is begun again."""
    began, tailing = time.time_ns(), listener.workos.at(Priority.TAIL)
    try:
        fetched = await unless_stopping(listener.stopping, pull.fetch(listener.pool, tailing, listener.types))
    except (CursorRefused, CursorLost) as lost:
        return await begin_again(listener, lost)
    except Exception as error:
        spans.failed("poll", error, began=began)
        raise
    if fetched is None:
        return Pulled(None, drained=False)
    if not fetched.page.end and trust(fetched.cursor) is Trust.AGEING:
        listener.doubt.warn(fetched.cursor)
    if catch_up.due(fetched.cursor, fetched.page):
        return await hurry(listener, fetched)
    if not fetched.page.events:
        return await pull.commit(listener.pool, listener.resources, fetched)
    with spans.story("poll", began=began) as span:
        told: spans.Attributes = {**listener.workos.attributes("GET", "/events"), "http.response.status_code": 200}
        spans.past("GET /events", began=fetched.began, ended=fetched.ended, attributes=told, kind=SpanKind.CLIENT)
        pulled = await pull.commit(listener.pool, listener.resources, fetched)
        span.set_attributes(pull.summary(pulled))
        report_page(pulled)
        report_missed(listener, pulled)
    return pulled


async def hurry(listener: Listener, fetched: Fetched) -> Pulled:
    """Catch up after a long stop, unless asked to stop meanwhile; where that is refused, page after page."""
    tailing = listener.workos.at(Priority.TAIL)
    work = catch_up.run(
        listener.pool, tailing, listener.resources, listener.types, fetched.cursor, fetched.page
    )  # fmt: skip
    try:
        done = await unless_stopping(listener.stopping, work)
    except Refused as refused:
        log.warning("feed.one_by_one", error=str(refused))
        return await pull.commit(listener.pool, listener.resources, fetched)
    return Pulled(None, drained=False, moved=done is not None)


def report_page(pulled: Pulled) -> None:
    """Log what a page came to, and each entry of it that was parked."""
    if pulled.recorded is not None and pulled.recorded.entries:
        log.info("page.applied", position=pulled.recorded.head, drained=pulled.drained, **pulled.recorded.counts)
    for failure in pulled.recorded.failures if pulled.recorded else ():
        log.error("entry.parked", position=failure.position, resource=failure.resource, error=failure.error)


def report_missed(listener: Listener, pulled: Pulled) -> None:
    """Count the events of a page that no webhook had told, where webhooks are expected."""
    if listener.hears and pulled.recorded is not None:
        metrics.webhooks_missed.add(sum(1 for entry in pulled.recorded.entries if entry.announced_at is None))


async def hear(listener: Listener) -> None:
    """Hear of webhooks; while that fails, the feed is followed at its usual pace."""
    backoff = listener.backoff()
    while not listener.stopping.is_set():
        await attempt(
            listener, "webhooks", lambda: webhooks.hear(listener.hears, listener.woken, listener.stopping), backoff
        )


async def settle(listener: Listener) -> None:
    """Give up webhooks that the feed does not confirm, soon after its patience has run out."""
    backoff = listener.backoff()
    while not listener.stopping.is_set():
        done = await attempt(listener, "webhooks", lambda: settle_once(listener), backoff)
        if done is not None:
            await pause(listener, listener.pace.webhook_patience / 4)


async def settle_once(listener: Listener) -> int:
    """Give up what is overdue, unless asked to stop meanwhile; how many."""
    patience = listener.pace.webhook_patience
    work = webhooks.settle(listener.pool, listener.workos, listener.resources, patience)
    return await unless_stopping(listener.stopping, work) or 0


async def fill(listener: Listener) -> None:
    """Take every backfill that is asked for to its end."""
    backoff = listener.backoff()
    while not listener.stopping.is_set():
        worked = await attempt(
            listener, "backfill", lambda: unless_stopping(listener.stopping, backfill_once(listener)), backoff
        )
        if worked is False:
            await pause(listener, listener.pace.poll_interval)


async def backfill_once(listener: Listener) -> bool:
    """Take the unfinished backfill to its end; False when there is none."""
    return await backfill.run(
        listener.pool, listener.workos.at(Priority.BACKFILL), listener.resources,
        max_deletions=listener.pace.backfill_max_deletions,
    )  # fmt: skip


async def verify_on(listener: Listener) -> None:
    """Hold the copy against WorkOS, a page at a time, over and over; not while it is not complete."""
    backoff = listener.backoff()
    while listener.pace.verify_days and not listener.stopping.is_set():
        wait = await attempt(
            listener, "verify", lambda: unless_stopping(listener.stopping, rolling.turn(listener)), backoff
        )
        if wait is not None:
            await pause(listener, wait)


async def attempt(listener: Listener, what: str, work: Callable[[], Awaitable[T]], backoff: Backoff) -> T | None:
    """Do a piece of work; when it fails, log it, wait, and answer None. Whatever fails, the daemon goes on."""
    try:
        result = await work()
    except Exception as error:  # noqa: BLE001  the daemon's loop: an error of any kind must not end it
        asked = error.retry_after if isinstance(error, Wait) else None
        wait = backoff.next(asked, nearby=isinstance(error, Unreachable))
        report(what, error, wait, backoff.failures)
        await pause(listener, wait)
        return None
    backoff.reset()
    return result


def report(what: str, error: Exception, wait: float, failures: int) -> None:
    """Log a failure by what it asks for: patience, an operator, or a developer."""
    facts = {"error": str(error) or type(error).__name__, "failures": failures, "next_try_in": round(wait, 1)}
    why = reason(error)
    metrics.retries.add(1, {"work": what, "reason": why})
    if why == "overtaken":
        log.info("work.overtaken", work=what, **facts)
    elif why == "waiting":
        log.warning("work.waiting", work=what, **facts)
    elif why == "refused":
        log.error("work.refused", work=what, **facts)
    else:
        log.error("work.crashed", work=what, **facts, exc_info=error)


def reason(error: Exception) -> str:
    """What a failure asks for, in a word."""
    if isinstance(error, Conflict):
        return "overtaken"
    if isinstance(error, (Wait, *Unreachable)):
        return "waiting"
    return "refused" if isinstance(error, UserManagementError) else "crashed"


async def pause(listener: Listener, seconds: float) -> bool:
    """Wait so long, or until asked to stop; whether we were."""
    try:
        async with asyncio.timeout(seconds):
            await listener.stopping.wait()
    except TimeoutError:
        return False
    return True


async def unless_stopping(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result, or None if we are asked to stop before it is done: then it is given up."""
    working, asked = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        asked.cancel()
        working.cancel()
        await asyncio.gather(working, asked, return_exceptions=True)
