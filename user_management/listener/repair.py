"""Repairing what a verification found: through the journal, under the guards, and only what still stands as found."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import checkpoints, entries
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.verifications import Finding
from user_management.listener import listings
from user_management.listener.absence import answer_entry
from user_management.listener.suspects import heard
from user_management.mirror.engine import compare, store
from user_management.mirror.engine.compare import Standing
from user_management.mirror.engine.record import record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS

REPAIRED = "repaired"
SETTLED = "it is as WorkOS says by now"
WRITE, DELETE, NOTHING = "write what WorkOS has", "delete it", "nothing"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done about a finding, and why nothing if nothing; what WorkOS said when asked for it."""

    finding: Finding
    action: str
    reason: str = ""
    said: dict[str, Any] | None = None
    asked_at: datetime | None = None

    @property
    def outcome(self) -> str:
        """What came of a finding about which nothing was to be done."""
        return REPAIRED if self.reason == SETTLED else f"left alone: {self.reason}"


async def reread(pool: Pool, finding: Finding) -> Finding:
    """The finding, about the row as it is now."""
    async with pool.acquire() as connection:
        row = await store.row(connection, finding.resource, finding.object_id)
    return replace(finding, position=row.position if row else 0)


async def plan(pool: Pool, workos: WorkOS, resources: Sequence[Resource], found: Sequence[Finding]) -> list[Plan]:
    """What is to be done about findings, parents first; WorkOS is asked for each object once more."""
    order = {resource.name: number for number, resource in enumerate(resources)}
    ordered = sorted(found, key=lambda one: (order[one.resource], one.object_id))
    return [await plan_one(pool, workos, resources[order[one.resource]], one) for one in ordered]


async def plan_one(pool: Pool, workos: WorkOS, resource: Resource, finding: Finding) -> Plan:
    """What is to be done about one finding."""
    asked_at = datetime.now(UTC)
    whose = {resource.listing.column: finding.partition} if resource.listing.per else {}
    try:
        found = await listings.get(pool, workos, resource, finding.object_id, whose)
    except listings.Unaskable as error:
        return Plan(finding, NOTHING, str(error))
    async with pool.acquire() as connection:
        said = None if found is None else (await heard(connection, resource, [found]))[0]
        row = await store.row(connection, resource.name, finding.object_id)
    if found is not None and said is None:
        return Plan(finding, NOTHING, "it is of a person who was erased")
    if (row.position if row else 0) != finding.position:
        return Plan(finding, NOTHING, "it changed since it was found")
    if said is not None and row is not None and row.deleted_at is not None:
        return Plan(finding, NOTHING, f"a tombstone is final: see `user-management why {resource.name} {row.id}`")
    if compare.judge(resource, row, said)[0] is Standing.EQUAL:
        return Plan(finding, NOTHING, SETTLED)
    return Plan(finding, DELETE if said is None else WRITE, "", said, asked_at)


async def carry_out(pool: Pool, resources: Sequence[Resource], plan: Plan) -> str:
    """Do what is planned if the row still stands as found; what came of it, in words."""
    resource = next(one for one in resources if one.name == plan.finding.resource)
    began = time.perf_counter()
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        row = await store.row(connection, resource.name, plan.finding.object_id)
        if (row.position if row else 0) != plan.finding.position:
            return "left alone: it changed since it was found"
        recorded = await record(connection, resources, [await entry_for(connection, resource, plan)])
    report(recorded, Lane.LIST, began=began)
    return outcome(recorded.entries)


async def entry_for(connection: Connection, resource: Resource, plan: Plan) -> Entry:
    """The entry that repairs: the object as WorkOS has it, or its end."""
    at = plan.asked_at or datetime.now(UTC)
    if plan.said is None:
        return await answer_entry(connection, resource, plan.finding.object_id, None, at)
    return entries.of_object(plan.said, lane=Lane.LIST, type=resource.corrected, at=at)


def outcome(recorded: Sequence[Entry]) -> str:
    """What came of a repair, from the entry that was recorded (none: the guards kept what is here)."""
    if not recorded:
        return "left alone: what is here is newer"
    return REPAIRED if recorded[0].verdict is Verdict.APPLIED else f"not applied: {recorded[0].verdict}"
