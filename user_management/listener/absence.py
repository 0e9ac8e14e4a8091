"""What a run did not see listed: asked for, one by one; gone is only what WorkOS answers 404 for."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import entries
from user_management.journal.entries import Entry, Lane
from user_management.listener import backfills, listings
from user_management.listener.backfills import Backfill
from user_management.mirror.engine import store
from user_management.mirror.engine.record import record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import NotAllowed, Refused

log = structlog.get_logger(__name__)


async def find(pool: Pool, resources: Sequence[Resource], run: Backfill, *, limit: int) -> dict[str, list[str]]:
    """By resource, the ids that were known before the run and that it did not see; none on a first run."""
    if not run.start_position:
        return {resource.name: [] for resource in resources}
    async with pool.acquire() as connection:
        return {
            resource.name: await backfills.absent(connection, run, resource.name, limit=limit)
            if run.lists(resource) and not resource.listing.partial
            else []
            for resource in resources
        }  # fmt: skip


async def confirm(
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, object_id: str
) -> None:
    """Ask for one object, and record what WorkOS answers: its end, or what it is now; nothing where it refuses."""
    asked_at = datetime.now(UTC)
    try:
        found = await listings.get(pool, workos, resource, object_id)
    except (NotAllowed, Refused, listings.Unaskable) as refused:
        if resource.listing.essential:
            raise
        log.warning("backfill.unconfirmed", resource=resource.name, id=object_id, error=str(refused))
        return
    began = time.perf_counter()
    async with transaction(pool) as connection:
        entry = await answer_entry(connection, resource, object_id, found, asked_at)
        recorded = await record(connection, resources, [entry])
    report(recorded, Lane.LIST, began=began)
    log.info("backfill.confirmed", resource=resource.name, id=object_id, gone=found is None,
             changed=bool(recorded.entries))  # fmt: skip


async def answer_entry(
    connection: Connection, resource: Resource, object_id: str, found: dict[str, object] | None, at: datetime
) -> Entry:
    """The entry for an object that was asked for: as it is, or its end with the last that was known of it."""
    if found is not None:
        return entries.of_object(found, lane=Lane.LIST, type=resource.listed, at=at)
    known = (await store.rows(connection, resource.name, [object_id])).get(object_id)
    last = known.body if known else {"object": resource.object, **resource.names_in(object_id)}
    return entries.of_object(last, lane=Lane.LIST, type=resource.deleted, at=at)
