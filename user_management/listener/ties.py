"""What a backfill saw listed as old as it is here, and yet otherwise: asked for by name before the run ends.

`updated_at` tells milliseconds: of two changes within one, a feed that was lost may have told us the first alone. A
list cannot settle that, for it may be old; what WorkOS says by name, once the feed was followed to its end, is written.
"""

from collections.abc import Sequence

import structlog

from user_management.db.session import Connection, Pool
from user_management.journal.entries import Entry
from user_management.journal.timestamps import parse
from user_management.journal.verifications import Finding
from user_management.listener import backfills, repair
from user_management.listener.backfills import Backfill
from user_management.mirror.engine import compare, store
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import NotAllowed, Refused

log = structlog.get_logger(__name__)

MOST = 1000
"""Objects of one resource that are asked for; what is otherwise with so many, a verification is to tell."""


async def find(connection: Connection, resource: Resource, listed: Sequence[Entry]) -> list[str]:
    """The ids of listed objects, just recorded, that are as old as their rows and yet otherwise."""
    said = {str(resource.name_of(entry.body)): entry.body for entry in listed}
    rows = await store.rows(connection, resource.name, list(said))
    return [
        key
        for key, row in rows.items()
        if parse(said[key].get("updated_at")) == row.updated_at
        and compare.judge(resource, row, said[key])[0] is Standing.DIFFERS
    ]


async def noted(pool: Pool, resource: Resource, run: Backfill) -> list[str]:
    """The ids of a resource that a run saw listed otherwise; none where there are too many to ask for."""
    async with pool.acquire() as connection:
        found = await backfills.differing(connection, run, resource.name, limit=MOST + 1)
    if len(found) > MOST:
        log.warning("backfill.differs", resource=resource.name, more_than=MOST)
        return []
    return found


async def settle(pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, object_id: str) -> None:
    """Ask for one object, and write what WorkOS says if the row stands as it stood.

    Its end is the feed's to tell, and what WorkOS refuses to show stays as it was.
    """
    finding = await repair.reread(pool, Finding(resource.name, object_id, Standing.DIFFERS.value, (), 0))
    try:
        [plan] = await repair.plan(pool, workos, resources, [finding])
    except (NotAllowed, Refused) as refused:
        log.warning("backfill.unconfirmed", resource=resource.name, id=object_id, error=str(refused))
        return
    if plan.action == repair.WRITE:
        done = await repair.carry_out(pool, resources, plan)
    else:
        done = "gone since: the feed will tell" if plan.action == repair.DELETE else plan.outcome
    log.info("backfill.settled", resource=resource.name, id=object_id, outcome=done)
