"""Verifying: WorkOS read again, page by page, and held against the copy, which is followed meanwhile.

A run keeps its place with every page, so an interrupted one goes on. The rolling run of the listener is one page at a
time, over and over; an operator's run goes through at once.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeAlias

import structlog

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import checkpoints, erasures, verifications
from user_management.journal.blotting import tokens
from user_management.journal.verifications import Finding, Key, Page, Verification
from user_management.listener import suspects
from user_management.listener.suspects import Looked, Segment
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import NotAllowed, Refused
from user_management.telemetry import metrics

log = structlog.get_logger(__name__)

Place: TypeAlias = tuple[str, str, Key]
"""Where a run is: in which resource, in which partition of it, behind which key."""
END: Place = ("", "", Key())


async def keep(
    pool: Pool, resources: Sequence[Resource], run: Verification, done: Sequence[tuple[Page, list[Finding]]]
) -> Verification:
    """Keep compared pages and what was found, and move the run behind them; the run as it then stands.

    Nothing names who was erased since they were looked at: no finding, and where the next place would, the pages are
    dropped and the run stays where it stood, so that they are looked at again. An erasure waits until that is settled.
    """
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        gone = await erasures.erased(connection, {word for page, found in done for word in words(page, found)})
        ahead = {word for page, _ in done for word in reached(page)} - tokens(run.partition)
        if not gone.isdisjoint(ahead):
            return run
        done = [without(page, found, gone) for page, found in done]
        for page, found in done:
            place = await following(connection, resources, page.resource, page.partition, page.end)
            run = await verifications.step(connection, run, page, found, place)
    for page, _ in done:
        for standing, count in page.counts.items():
            metrics.verified.add(count, {"resource": page.resource, "standing": standing})
    return run


def reached(page: Page) -> set[str]:
    """Whom the place that a page leads to names."""
    return tokens(page.partition) | (tokens(page.end.id) if page.end else set())


def words(page: Page, found: Sequence[Finding]) -> set[str]:
    """Whom a page and what was found on it name."""
    return reached(page).union(tokens(page.begin.id), *(tokens(one.object_id) for one in found))


def without(page: Page, found: Sequence[Finding], gone: AbstractSet[str]) -> tuple[Page, list[Finding]]:
    """A page, begun behind nobody who is gone, and what was found on it but for them: they count as erased."""
    theirs = [one for one in found if not gone.isdisjoint(tokens(one.object_id))]
    counts = Counter(page.counts)
    counts.subtract(one.standing for one in theirs)
    counts[Standing.ERASED.value] += len(theirs)
    begin = page.begin if gone.isdisjoint(tokens(page.begin.id)) else Key(page.begin.at)
    return replace(page, begin=begin, counts=+counts), [one for one in found if one not in theirs]


async def following(
    connection: Connection, resources: Sequence[Resource], name: str, partition: str, end: Key | None
) -> Place:
    """The place behind a page: on in its partition, in the next one, or in the next resource; `END` behind the last."""
    if end is not None:
        return name, partition, end
    resource = next(one for one in resources if one.name == name)
    follows = await next_partition(connection, resource, partition) if resource.listing.per else None
    return (name, follows, Key()) if follows is not None else await beyond(connection, resources, name)


async def beyond(connection: Connection, resources: Sequence[Resource], name: str) -> Place:
    """The place behind all of a resource."""
    names = [resource.name for resource in resources]
    rest = names[names.index(name) + 1 :]
    return await entrance(connection, resources, rest[0]) if rest else END


async def entrance(connection: Connection, resources: Sequence[Resource], name: str) -> Place:
    """The place where a resource begins: in its first partition, or behind it where there is none."""
    resource = next(one for one in resources if one.name == name)
    if not resource.listing.per:
        return name, "", Key()
    partition = await next_partition(connection, resource, "")
    return (name, partition, Key()) if partition is not None else await beyond(connection, resources, name)


async def next_partition(connection: Connection, resource: Resource, after: str) -> str | None:
    """The next parent that lives here, or that a live row names; what names a parent that is gone is suspect too."""
    listing = resource.listing
    found: str | None = await connection.fetchval(
        f"""
        SELECT min(id) FROM (
          (SELECT id FROM {listing.per} WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT 1) UNION ALL
          (SELECT {listing.column} FROM {resource.name} WHERE {listing.column} > $1 AND deleted_at IS NULL
           ORDER BY {listing.column} LIMIT 1)) parents (id)
        """,
        after,
    )
    return found


async def chosen(
    connection: Connection, resources: Sequence[Resource], run: Verification, place: Place
) -> tuple[Segment | None, Place]:
    """The next segment of a run's share, from a place on; None behind the last. The same run chooses the same ones."""
    while place != END:
        name, partition, begin = place
        resource = next(one for one in resources if one.name == name)
        if drawn(run, name, partition if resource.listing.per else begin.id):
            return Segment(resource, partition, begin), place
        end = None if resource.listing.per else await passed(connection, resource, begin)
        place = await following(connection, resources, name, partition, end)
    return None, place


def drawn(run: Verification, name: str, which: str) -> bool:
    """Whether a part belongs to a run's share; a fair draw that can be repeated."""
    number = hashlib.sha256(f"{run.id} {name} {which}".encode()).digest()[:8]
    return int.from_bytes(number) < run.share * 2**64


async def passed(connection: Connection, resource: Resource, begin: Key) -> Key | None:
    """The key one page further on, by what is here; None when a page reaches the end."""
    row = await connection.fetchrow(
        f"""
        SELECT created_at, id FROM {resource.name} WHERE deleted_at IS NULL
          AND ($1::timestamptz IS NULL OR (created_at, id) > ($1, $2)) ORDER BY created_at, id OFFSET $3 LIMIT 1
        """,
        begin.at, begin.id, objects.LIMIT - 1,
    )  # fmt: skip
    return Key(row["created_at"], row["id"]) if row else None


async def begin(pool: Pool, resources: Sequence[Resource], *, kind: str, share: float) -> Verification:
    """Begin a run over some resources, parents first."""
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        run = await verifications.begin(connection, kind, [resource.name for resource in resources], share)
        return await verifications.place(connection, run, await entrance(connection, resources, resources[0].name))


async def advance(
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], run: Verification, *, pages: int, hold_back: float
) -> Verification:
    """Compare up to so many pages more; the run as it then stands, finished when there was nothing left.

    What WorkOS does not list for us is left out and told of; `NotAllowed` or `Refused` where nothing goes without it.
    """
    place: Place = run.resource, run.partition, run.reached
    batch, refused = list[Looked](), list[str]()
    while len(batch) < pages:
        async with pool.acquire() as connection:
            segment, place = await chosen(connection, resources, run, place)
        if segment is None:
            break
        looked = await shown(pool, workos, segment)
        async with pool.acquire() as connection:
            if looked is None:
                refused.append(segment.resource.name)
                place = await beyond(connection, resources, segment.resource.name)
            else:
                batch.append(looked)
                place = await following(connection, resources, segment.resource.name, segment.partition, looked.end)
    kept = await keep(pool, resources, run, await suspects.settle(pool, workos, batch, hold_back=hold_back))
    if kept.steps < run.steps + len(batch):
        return kept
    async with transaction(pool) as connection:
        kept = await verifications.place(connection, kept, place, refused) if refused else kept
        return await verifications.finish(connection, kept) if place == END else kept


async def shown(pool: Pool, workos: WorkOS, segment: Segment) -> Looked | None:
    """A page as it was looked at; None if WorkOS refuses to list what others go without."""
    try:
        return await suspects.look(pool, workos, segment)
    except (NotAllowed, Refused) as refused:
        if segment.resource.listing.essential:
            raise
        log.error("verify.left_out", resource=segment.resource.name, error=str(refused))  # noqa: TRY400  it is told whole
        return None
