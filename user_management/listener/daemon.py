"""The daemon: takes the lease, follows the feed, backfills beside it, outlives every outage, leaves when asked."""

import asyncio
import random
import time
from contextlib import suppress

import structlog
from asyncpg import PostgresError
from opentelemetry.metrics import Observation
from opentelemetry.trace import SpanKind

from user_management.db.session import Unreachable
from user_management.journal import cursor as cursors
from user_management.journal import webhooks as pending
from user_management.listener import backfill, catch_up, doubt, lease, pull, rereads, rolling, start, webhooks
from user_management.listener.burst import Burst
from user_management.listener.doubt import CursorLost, Trust, trust
from user_management.listener.lease import LeaseLost
from user_management.listener.pull import CursorRefused, Fetched, Pulled
from user_management.listener.worker import Listener, attempt, pause, unless_stopping
from user_management.services.workos.bucket import Priority
from user_management.services.workos.errors import Refused
from user_management.telemetry import metrics, spans

log = structlog.get_logger(__name__)


class Leading:
    """Whether this process holds the lease."""

    now = False


leading = Leading()
metrics.gauge("user_management.listener.leading", "1 for the listener that is at work, 0 for those that stand by.",
              lambda: [Observation(int(leading.now))])  # fmt: skip

STANDBY = 1.0
"""Seconds between a standby's looks at the lease."""


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
        tasks.create_task(read_again(listener))
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
        await warn(listener)
        raise
    if fetched is None:
        return Pulled(None, drained=False)
    if not fetched.page.end and trust(fetched.cursor) is Trust.AGEING:
        listener.doubt.warn(fetched.cursor)
    if not fetched.page.events:
        return await pull.commit(listener.pool, listener.resources, fetched)
    with spans.story("poll", began=began) as span:
        told: spans.Attributes = {**listener.workos.attributes("GET", "/events"), "http.response.status_code": 200}
        spans.past("GET /events", began=fetched.began, ended=fetched.ended, attributes=told, kind=SpanKind.CLIENT)
        pulled = await pull.commit(listener.pool, listener.resources, fetched)
        span.set_attributes(pull.summary(pulled))
        report_page(listener, pulled)
    if pulled.moved and catch_up.due(fetched.cursor, fetched.page):
        await hurry(listener, fetched)
    return pulled


async def warn(listener: Listener) -> None:
    """While nothing is fetched, warn of what WorkOS soon forgets, if the database tells how long that goes on."""
    with suppress(*Unreachable, PostgresError):
        async with listener.pool.acquire() as connection:
            cursor = await cursors.read(connection)
        if trust(cursor) is not Trust.GOOD:
            listener.doubt.warn(cursor)


async def hurry(listener: Listener, fetched: Fetched) -> None:
    """Catch up after a long stop, unless asked to stop meanwhile; where that is refused, the polls do, for an hour."""
    if time.monotonic() - listener.one_by_one < doubt.HOUR:
        return
    try:
        await unless_stopping(listener.stopping, catch_up.run(listener, fetched.page))
    except Refused as refused:
        listener.one_by_one = time.monotonic()
        log.warning("feed.one_by_one", error=str(refused))


def report_page(listener: Listener, pulled: Pulled) -> None:
    """Log what a page came to, and each entry of it that was parked; count what webhooks were expected to tell."""
    if pulled.recorded is not None and pulled.recorded.entries:
        log.info("page.applied", position=pulled.recorded.head, drained=pulled.drained, **pulled.recorded.counts)
    pull.report_parked(pulled)
    if listener.hears:
        pull.report_missed(pulled)


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


async def read_again(listener: Listener) -> None:
    """Read again what events told only in part."""
    backoff = listener.backoff()
    while not listener.stopping.is_set():
        done = await attempt(listener, "reread", lambda: read_some(listener), backoff)
        if done == 0:
            await pause(listener, listener.pace.poll_interval)


async def read_some(listener: Listener) -> int:
    """Read again what waits, unless asked to stop meanwhile; how many there were."""
    work = rereads.turn(listener.pool, listener.workos.at(Priority.TAIL), listener.resources)
    return await unless_stopping(listener.stopping, work) or 0


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
        max_deletions=listener.pace.backfill_max_deletions, patience=listener.patience,
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
