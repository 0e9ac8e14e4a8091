"""The rolling verification: everything compared with WorkOS within so many days, from what the budget can spare."""

from collections.abc import Sequence
from typing import Protocol

import structlog

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import cursor as cursors
from user_management.journal import verifications
from user_management.journal.verifications import ROLLING, Finding, Verification
from user_management.listener import repair, suspects, verify
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import objects
from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS

log = structlog.get_logger(__name__)

DAY = 86_400.0
SHORTEST, LONGEST = 0.5, 600.0
"""Seconds between two pages: never faster, and in a small environment more often than would be needed."""
IDLE = 5.0
"""Seconds between looks at whether the copy is complete by now."""


class Days(Protocol):
    """A pace, as far as it concerns verification."""

    @property
    def verify_days(self) -> float:
        """Days within which everything is verified once."""


class Verifier(Protocol):
    """What works through the verification: a listener."""

    pool: Pool
    workos: WorkOS
    resources: Sequence[Resource]

    @property
    def pace(self) -> Days:
        """How fast it is to go."""


async def turn(verifier: Verifier) -> float:
    """Compare the next page; the seconds to wait before the one after it."""
    pool, resources = verifier.pool, verifier.resources
    async with pool.acquire() as connection:
        complete = (await cursors.read(connection)).ready_at is not None
        run = await verifications.unfinished(connection, ROLLING)
        pages = await count_pages(connection, resources)
    if not complete:
        return IDLE
    names = tuple(resource.name for resource in resources)
    if run is None or run.resources != names:
        run = await verify.begin(pool, resources, kind=ROLLING, share=1.0)
    before = run.steps
    run = await verify.advance(
        pool, verifier.workos.at(Priority.VERIFY), resources, run, pages=1, hold_back=suspects.HOLD_BACK
    )
    await tell(verifier, run, since=before)
    return min(max(verifier.pace.verify_days * DAY / pages, SHORTEST), LONGEST)


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


async def tell(verifier: Verifier, run: Verification, *, since: int) -> None:
    """Log what was found on the last page; fill in what WorkOS changes without an event, and nothing else."""
    async with verifier.pool.acquire() as connection:
        found = await verifications.findings(connection, run, since)
    for one in found:
        if one.standing == Standing.VOLATILE:
            await fill_in(verifier, run, one)
        else:
            log.error("verify.found", resource=one.resource, id=one.object_id, standing=one.standing, keys=one.keys)


async def fill_in(verifier: Verifier, run: Verification, finding: Finding) -> None:
    """Bring what no event tells up to date, through the journal."""
    for plan in await repair.plan(verifier.pool, verifier.workos, verifier.resources, [finding]):
        if plan.action == repair.WRITE:
            how = await repair.carry_out(verifier.pool, verifier.resources, plan)
            async with transaction(verifier.pool) as connection:
                await verifications.repaired(connection, run, finding, how)
