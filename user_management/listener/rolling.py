"""The rolling verification: everything compared with WorkOS within so many days, from what the budget can spare."""

import time
from collections.abc import Sequence

import structlog

from user_management.db.session import Connection, transaction
from user_management.journal import cursor as cursors
from user_management.journal import verifications
from user_management.journal.verifications import ROLLING, Finding, Verification
from user_management.listener import backfills, repair, suspects, verify
from user_management.listener.worker import Listener
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import objects
from user_management.services.workos.bucket import Priority

log = structlog.get_logger(__name__)

DAY = 86_400.0
SHORTEST, LONGEST = 0.1, 600.0
"""Seconds between two turns, at least, and from the begin of one to that of the next, at most."""
TURN = 60.0
"""Seconds a turn should have: what is suspected on its pages waits for the feed, which takes some."""
MOST = 100
"""Most pages of a turn; those of one that is interrupted are compared again."""
IDLE = 5.0
"""Seconds between looks at whether the copy is complete by now."""


async def turn(listener: Listener) -> float:
    """Compare the next pages; the seconds to wait before those after them."""
    began, pool = time.monotonic(), listener.pool
    async with pool.acquire() as connection:
        complete = (await cursors.read(connection)).ready_at is not None
        run = await verifications.unfinished(connection, ROLLING)
        refused = await backfills.left_out(connection)
        resources = [one for one in listener.resources if one.listing.wanted and one.name not in refused]
        pages = await count_pages(connection, resources)
    if not complete:
        return IDLE
    names = tuple(resource.name for resource in resources)
    if run is None or run.resources != names:
        run = await verify.begin(pool, resources, kind=ROLLING, share=1.0)
    before, (count, interval) = run.steps, pace(listener.pace.verify_days, pages)
    workos = listener.workos.at(Priority.VERIFY)
    run = await verify.advance(pool, workos, resources, run, pages=count, hold_back=suspects.HOLD_BACK)
    await tell(listener, run, since=before)
    return max(interval - (time.monotonic() - began), SHORTEST)


def pace(days: float, pages: int) -> tuple[int, float]:
    """How many pages to compare at once, and in how many seconds, so that so many are compared within so many days.

    Where one at a time would leave less than `TURN` for each, several share the wait for the feed; no turn is longer
    than `LONGEST`, so a small environment is compared more often than would be needed.
    """
    each = days * DAY / pages
    count = min(max(int(TURN / each), 1), MOST)
    return count, min(count * each, LONGEST)


async def count_pages(connection: Connection, resources: Sequence[Resource]) -> int:
    """About how many pages everything is, by PostgreSQL's own estimate."""
    total = 0
    for resource in resources:
        table = resource.listing.per or resource.name
        rows = await connection.fetchval(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = $1::text::regclass", table
        )
        total += rows if resource.listing.per else rows // objects.LIMIT
    return max(total, 1)


async def tell(listener: Listener, run: Verification, *, since: int) -> None:
    """Log what was found on the last page; fill in what WorkOS changes without an event, and nothing else."""
    async with listener.pool.acquire() as connection:
        found = await verifications.findings(connection, run, since)
    for one in found:
        if one.standing == Standing.VOLATILE:
            await fill_in(listener, run, one)
        else:
            log.error("verify.found", resource=one.resource, id=one.object_id, standing=one.standing, keys=one.keys)


async def fill_in(listener: Listener, run: Verification, finding: Finding) -> None:
    """Bring what no event tells up to date, through the journal."""
    for plan in await repair.plan(listener.pool, listener.workos, listener.resources, [finding]):
        if plan.action == repair.WRITE:
            how = await repair.carry_out(listener.pool, listener.resources, plan)
            async with transaction(listener.pool) as connection:
                await verifications.repaired(connection, run, finding, how)
