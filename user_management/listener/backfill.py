"""Backfilling: everything WorkOS has, listed page by page into the copy, beside the tail that follows the events.

The boundary is recorded before the listing starts, and the copy is ready when a poll that began after the listing
reaches the end of the feed. What the copy held before and WorkOS no longer lists is asked for, one by one.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from user_management.db.session import Connection, Pool, transaction
from user_management.errors import Fix, NotFound
from user_management.journal import checkpoints, entries, erasures
from user_management.journal import cursor as cursors
from user_management.journal.blotting import tokens
from user_management.journal.entries import Entry, Lane
from user_management.listener import backfills, confirming, listings, ties
from user_management.listener.backfills import Backfill, Phase
from user_management.listener.patience import Patience
from user_management.mirror.engine import provisional, store
from user_management.mirror.engine.record import Recorded, record, report
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import TOUCH, Verb
from user_management.services.workos import objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import NotAllowed, Refused
from user_management.telemetry import spans

log = structlog.get_logger(__name__)

AHEAD = 10
"""Most pages fetched before those in front of them are committed, and most that are committed together."""

GLANCE = 0.2
"""Seconds between looks at whether the tail has reached the end."""


class CutShort(Fix):
    """WorkOS shows a list only up to a place, from wherever it is begun."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listing is: in which partition (the id of a parent, or nothing), behind which object."""

    partition: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A page that was listed at a place, and the place that follows; None when the resource is listed."""

    place: Place
    found: list[Entry]
    following: Place | None
    head: int = 0
    """Where the journal ended before the page was asked for."""


async def run(
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], *, max_deletions: int, patience: Patience | None = None
) -> bool:
    """Take the unfinished run from where it stands to its end; False when there is none.

    `patience` is what is remembered from one attempt to the next.
    """
    async with pool.acquire() as connection:
        current = await backfills.unfinished(connection)
    if current is None:
        return False
    if current.phase is Phase.LISTING:
        current = await list_all(pool, workos, resources, current)
    if current.phase is Phase.FOLLOWING:
        current = await follow(pool, current)
    await confirming.confirm(pool, workos, resources, current, max_deletions, patience or Patience())
    return True


async def list_all(pool: Pool, workos: WorkOS, resources: Sequence[Resource], run: Backfill) -> Backfill:
    """List every resource from where the run stands; pages and the run's place are committed together."""
    names = [resource.name for resource in resources]
    for resource in resources[names.index(run.resource) :]:
        if run.resource != resource.name:
            run = await move(pool, run, resource=resource.name, partition="", after="")
        if run.lists(resource):
            run = await list_one(pool, workos, resources, resource, run)
    async with transaction(pool) as connection:
        listed_at = await cursors.clock(connection)
        await backfills.move(connection, run, phase=Phase.FOLLOWING.value, listed_at=listed_at)
        return await reread(connection)


async def list_one(
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, run: Backfill
) -> Backfill:
    """List one resource from where the run stands. One that WorkOS does not list to its end is left out, and told of.

    Nothing is said of its objects then: none is taken to be gone. What is essential is never left out.
    """
    try:
        async with aclosing(ahead(walk(pool, workos, resource, Place(run.partition, run.after)))) as batches:
            async for batch in batches:
                run = await commit(pool, workos, resources, resource, run, batch)
    except (NotAllowed, Refused, CutShort) as refused:
        if resource.listing.essential:
            raise
        log.error("backfill.left_out", resource=resource.name, error=str(refused))  # noqa: TRY400  it is told whole
        return await move(pool, run, left_out=[*run.left_out, resource.name])
    log.info("backfill.listed", resource=resource.name, objects=run.listed, changed=run.changed)
    return run


async def move(pool: Pool, run: Backfill, **changes: object) -> Backfill:
    """Move a run in a transaction of its own."""
    async with transaction(pool) as connection:
        await backfills.move(connection, run, **changes)
        return await reread(connection)


async def reread(connection: Connection) -> Backfill:
    """The run as it now stands."""
    found = await backfills.unfinished(connection)
    if found is None:
        raise backfills.BackfillMoved("the run was finished by another listener")
    return found


async def walk(pool: Pool, workos: WorkOS, resource: Resource, place: Place) -> AsyncGenerator[Step, None]:
    """The pages of one resource from a place on."""
    listing, refused = resource.listing, set[Place]()
    following: Place | None = place
    if listing.per and not place.partition:
        following = await next_partition(pool, listing.per, "")
    while following is not None:
        place = following
        asked_at, head = datetime.now(UTC), await head_of(pool)
        page, place = await listed(pool, workos, resource, place, refused)
        if page.after:
            following = Place(place.partition, page.after)
        else:
            following = await next_partition(pool, listing.per, place.partition) if listing.per else None
        found = [entries.of_object(item, lane=Lane.LIST, type=resource.listed, at=asked_at) for item in page.objects]
        yield Step(place, found, following, head)


async def head_of(pool: Pool) -> int:
    """Where the journal ends."""
    async with pool.acquire() as connection:
        return (await checkpoints.read(connection)).get(checkpoints.HEAD, 0)


async def listed(
    pool: Pool, workos: WorkOS, resource: Resource, place: Place, refused: set[Place]
) -> tuple[objects.Page, Place]:
    """The page at a place. A partition whose parent is gone is empty; a refused cursor starts its list again.

    With which number WorkOS refuses either, nothing says. A list that leads to a `refused` place again ends there.
    """
    try:
        return await page_at(pool, workos, resource, place), place
    except (NotFound, Refused) as refusal:
        if await listings.ended(pool, workos, resource, place.partition, refusal):
            return objects.Page([], None), place
        if not place.after:
            raise
        if place in refused:
            raise CutShort(f"{refusal} (the list of {resource.name} behind {place.after}, once more)") from refusal
        log.warning("backfill.cursor_refused", resource=resource.name, after=place.after, error=str(refusal))
        refused.add(place)
        start = Place(place.partition)
        return await page_at(pool, workos, resource, start), start


async def page_at(pool: Pool, workos: WorkOS, resource: Resource, place: Place) -> objects.Page:
    """The page at a place."""
    async with pool.acquire() as connection:
        at = await listings.address(connection, resource, place.partition)
    return await listings.page(workos, resource, at, place.after)


async def next_partition(pool: Pool, parent: str, after: str) -> Place | None:
    """The place at the start of the next living parent's partition."""
    async with pool.acquire() as connection:
        found = await connection.fetchval(
            f"""
            SELECT id FROM {parent} live WHERE id > $1 AND (deleted_at IS NULL OR EXISTS (
                SELECT FROM provisional before
                WHERE before.resource = $2 AND before.id = live.id AND before.existed AND before.deleted_at IS NULL))
            ORDER BY id LIMIT 1
            """,
            after, parent,
        )  # fmt: skip
    return Place(found) if found else None


async def ahead(steps: AsyncGenerator[Step, None]) -> AsyncGenerator[list[Step], None]:
    """The same steps, fetched while those before them are committed: each time all that have come by now."""
    queue: asyncio.Queue[Step] = asyncio.Queue(AHEAD)
    fetching = asyncio.ensure_future(fetch(steps, queue))
    try:
        while batch := await next_batch(queue, fetching):
            yield batch
        await fetching
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


async def fetch(steps: AsyncGenerator[Step, None], queue: asyncio.Queue[Step]) -> None:
    """Put the steps into the queue, as far ahead as it allows."""
    async with aclosing(steps):
        async for step in steps:
            await queue.put(step)


async def next_batch(queue: asyncio.Queue[Step], fetching: asyncio.Future[None]) -> list[Step]:
    """All steps in the queue, waited for; none when the fetching has ended, well or badly."""
    getting = asyncio.ensure_future(queue.get())
    either: set[asyncio.Future[Any]] = {getting, fetching}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        first = [getting.result()] if getting.done() else []
    finally:
        getting.cancel()
    return first + [queue.get_nowait() for _ in range(queue.qsize())]


async def commit(  # noqa: PLR0917  what a backfill works on, and what of it is at hand
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, run: Backfill, steps: Sequence[Step]
) -> Backfill:
    """Record listed pages and move the run behind them, in one transaction."""
    told = {"user_management.pages": len(steps), "user_management.objects": sum(len(step.found) for step in steps)}
    began = time.perf_counter()
    with spans.story(f"backfill {resource.name}", attributes=told) as span:
        moved, recorded = await write(pool, workos, resources, resource, run, steps)
        span.set_attribute("user_management.entries", len(recorded.entries))
    report(recorded, Lane.LIST, began=began)
    return moved


async def write(  # noqa: PLR0917  likewise
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, run: Backfill, steps: Sequence[Step]
) -> tuple[Backfill, Recorded]:
    """Write listed pages, once none of their objects was overtaken by a touch: those are read again first."""
    found, head = [entry for step in steps for entry in step.found], steps[0].head
    while True:
        async with transaction(pool) as connection:
            now = (await checkpoints.lock(connection))[checkpoints.HEAD]
            late = await overtaken(connection, resource, found, since=head)
            if not late:
                recorded = await record(connection, resources, found)
                place = steps[-1].following or steps[-1].place
                moved = await step_on(connection, resource, run, place, found, changed=len(recorded.entries))
                return moved, recorded
        found, head = [await again(pool, workos, resource, entry, late) for entry in found], now


async def overtaken(connection: Connection, resource: Resource, found: Sequence[Entry], *, since: int) -> set[str]:
    """The ids of listed objects that are new here and were touched since they were asked for.

    A touch found no row to rise, and what was listed before it is too old to tell of it: a sign-in would be lost.
    What only webhooks told counts neither as a touch (the feed will bring it, later) nor as a row.
    """
    touches = {name: verb for name, verb in resource.verbs.items() if isinstance(verb, Verb) and verb.name == TOUCH}
    listed = {entry.object_id for entry in found}
    late: set[str] = set()
    if touches:
        async for batch in entries.read(connection, after=since, types=list(touches)):
            named = [entry.data.get(touches[entry.type].target) for entry in batch if isinstance(entry.data, dict)]
            late |= {key for key in named if isinstance(key, str) and key in listed}
    rows = await store.rows(connection, resource.name, list(late))
    return late - (rows.keys() - await provisional.invented(connection, resource, list(late)))


async def again(pool: Pool, workos: WorkOS, resource: Resource, entry: Entry, late: set[str]) -> Entry:
    """The entry, or one for its object as it is now if it is late; what is gone meanwhile, its event will tell."""
    if entry.object_id not in late:
        return entry
    at = datetime.now(UTC)
    found = await listings.get(pool, workos, resource, str(entry.object_id))
    return entry if found is None else entries.of_object(found, lane=Lane.LIST, type=resource.listed, at=at)


async def step_on(
    connection: Connection, resource: Resource, run: Backfill, place: Place, found: list[Entry], *, changed: int
) -> Backfill:
    """Note what was listed and move the run to its next place; the run as it then stands."""
    if run.start_position:
        ids = [str(resource.name_of(entry.body)) for entry in found]
        gone = await erasures.erased(connection, tokens(" ".join(ids)))
        seen = [one for one in ids if gone.isdisjoint(tokens(one))]
        await backfills.see(connection, run, resource.name, seen, await ties.find(connection, resource, found))
    moved = replace(
        run,
        partition=place.partition,
        after=place.after,
        listed=run.listed + len(found),
        changed=run.changed + changed,
    )
    await backfills.move(
        connection, run, partition=moved.partition, after=moved.after, listed=moved.listed, changed=moved.changed
    )  # fmt: skip
    return moved


async def follow(pool: Pool, run: Backfill) -> Backfill:
    """Wait until a poll that began after the listing has reached the end of the feed."""
    while True:
        async with pool.acquire() as connection:
            cursor = await cursors.read(connection)
        if cursor.drained_at and run.listed_at and cursor.now and run.listed_at < cursor.drained_at <= cursor.now:
            return await move(pool, run, phase=Phase.CONFIRMING.value)
        await asyncio.sleep(GLANCE)
