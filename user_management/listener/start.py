"""What a listener sets right before it follows the feed: checkpoints, the boundary, and a backfill where one is due."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import checkpoints
from user_management.journal import cursor as cursors
from user_management.journal.cursor import Cursor
from user_management.listener import backfills
from user_management.listener.backfills import Backfill
from user_management.mirror.engine import rebuild
from user_management.mirror.engine.resource import Resource

log = structlog.get_logger(__name__)


async def prepare(pool: Pool, resources: Sequence[Resource], types: Sequence[str], *, margin: float) -> None:
    """Make the copy followable: safe to repeat, and after it every resource has applied the whole journal."""
    async with transaction(pool) as connection:
        await checkpoints.ensure(connection, [resource.name for resource in resources])
        await cursors.ensure(connection)
    await catch_up(pool, resources)
    async with transaction(pool) as connection:
        cursor = await cursors.read(connection)
        if due(cursor, types):
            await cursors.begin(connection, await cursors.clock(connection) - timedelta(seconds=margin))
            run = await asked_for(connection, resources, anew=widened(cursor, types))
            log.info("backfill.due", backfill=run.id, phase=run.phase.value)
        await cursors.subscribe(connection, list(types))


async def begin_again(
    pool: Pool, resources: Sequence[Resource], lost: Cursor, *, margin: float, reason: str | None = None
) -> None:
    """Follow from now on and list everything: what happened since a place that WorkOS no longer knows is found so."""
    async with transaction(pool) as connection:
        boundary = await cursors.clock(connection) - timedelta(seconds=margin)
        await cursors.lose(connection, old=lost, boundary=boundary)
        run = await asked_for(connection, resources, anew=True)
    facts = {"event_id": lost.event_id, "event_at": lost.event_at, "backfill": run.id}
    if reason is None:
        log.error("cursor.refused", **facts)
    else:
        log.error("cursor.lost", reason=reason, **facts)


def due(cursor: Cursor, types: Sequence[str]) -> bool:
    """Whether a backfill is needed: the copy was never complete, or its feed was so far followed without some types."""
    return cursor.ready_at is None or widened(cursor, types)


def widened(cursor: Cursor, types: Sequence[str]) -> bool:
    """Whether the feed was so far followed without some types."""
    return not set(types) <= set(cursor.event_types)


async def asked_for(connection: Connection, resources: Sequence[Resource], *, anew: bool) -> Backfill:
    """The backfill at work, or one that begins; `anew` if what is at work may have passed what nobody knew of."""
    run = await backfills.unfinished(connection)
    if run is not None and anew:
        await backfills.abandon(connection)
    return await backfills.request(connection, resources[0].name, run.also if run is not None else ())


async def catch_up(pool: Pool, resources: Sequence[Resource]) -> None:
    """Fold the journal into every resource that is behind it, such as one that was just added."""
    async with pool.acquire() as connection:
        positions = await checkpoints.read(connection)
    behind = [resource for resource in resources if positions[resource.name] < positions[checkpoints.HEAD]]
    if behind:
        async for step in rebuild.rebuild(pool, behind):
            if isinstance(step, rebuild.Difference):
                log.info("resource.caught_up", resource=step.resource, rows=step.missing + step.different)
