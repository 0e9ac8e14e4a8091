"""Reading again what an event tells only in part: a role's event has neither its name nor its description."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from asyncpg import Record

from user_management.db.session import Connection, Pool, transaction
from user_management.errors import Wait
from user_management.journal import checkpoints, rereads
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.timestamps import parse
from user_management.listener import absence, listings, questions
from user_management.listener.questions import Question
from user_management.mirror.engine import store
from user_management.mirror.engine.record import Recorded, record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, NotAllowed, Refused

log = structlog.get_logger(__name__)

BELIEVED = timedelta(minutes=5)
"""How long after an event WorkOS may not show yet what it told of; then a 404 is an answer."""


async def note(connection: Connection, resources: Sequence[Resource], recorded: Recorded) -> None:
    """Note what the events of a page told only in part, in the transaction that records them."""
    found = [(resource.name, entry) for resource in resources if resource.lean for entry in recorded.entries
             if entry.type in resource.lean and entry.verdict is Verdict.APPLIED]  # fmt: skip
    for name, entry in found:
        await rereads.ask(connection, name, str(entry.object_id), entry.position)


async def turn(pool: Pool, workos: WorkOS, resources: Sequence[Resource]) -> int:
    """Read what waits; how many there were. What WorkOS does not answer for waits on, and nothing behind it for it."""
    count, behind, failures = 0, 0, list[Wait]()
    while rows := await rereads.waiting(pool, behind):
        asking = [question(pool, workos, resources, row) for row in rows]
        failures += [error for _, error in await questions.ask(pool, workos, asking)]
        count, behind = count + len(rows), rows[-1]["position"]
    if failures:
        raise failures[0]
    return count


def question(pool: Pool, workos: WorkOS, resources: Sequence[Resource], row: Record) -> Question:
    """How what waits is read."""
    resource = next(one for one in resources if one.name == row["resource"])
    reading = partial(read, pool, workos, resources, resource, row["id"], row["position"])
    return Question(((resource, row["id"]),), reading)


async def read(  # noqa: PLR0917  what is read, and where it is written
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], resource: Resource, object_id: str, position: int
) -> None:
    """Ask for one object and record what it is, or that it is gone; what WorkOS does not show stays as it was told.

    What a role permits is not known as long as neither its event nor WorkOS told it: nothing is granted by what was.
    """
    asked_at, began = datetime.now(UTC), time.perf_counter()
    try:
        found = await listings.get(pool, workos, resource, object_id)
    except (NotAllowed, Refused, listings.Unaskable) as refused:
        log.warning("reread.refused", resource=resource.name, id=object_id, error=str(refused))
        await forget(pool, resource, object_id, position)
        return
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        if found is None and await young(connection, resource, object_id, position):
            raise BadAnswer(f"WorkOS does not show {resource.name} {object_id} yet, of which it told just now")
        if found is not None and await older(connection, resource, object_id, found):
            raise BadAnswer(f"WorkOS shows {resource.name} {object_id} as it was before its event")
        entry = await answer(connection, resource, object_id, found, asked_at)
        recorded = await record(connection, resources, [entry] if entry else [])
        await rereads.done(connection, resource.name, object_id, position)
    report(recorded, Lane.LIST, began=began)


async def young(connection: Connection, resource: Resource, object_id: str, position: int) -> bool:
    """Whether an object that lives here was told of so lately that a 404 may be older than that.

    If a role was taken for ended too early, its name would stay ended: who bears it was born before that end.
    """
    row = await store.row(connection, resource.name, object_id)
    return row is not None and row.deleted_at is None and await rereads.told_within(connection, position, BELIEVED)


async def older(connection: Connection, resource: Resource, object_id: str, found: dict[str, object]) -> bool:
    """Whether WorkOS shows an object older than it is here: then it does not show yet what its event told in part."""
    row, updated_at = await store.row(connection, resource.name, object_id), parse(found.get("updated_at"))
    return row is not None and updated_at is not None and updated_at < row.updated_at


async def answer(
    connection: Connection, resource: Resource, object_id: str, found: dict[str, object] | None, at: datetime
) -> Entry | None:
    """The entry for what WorkOS said; none for the end of what is not alive here."""
    row = await store.row(connection, resource.name, object_id)
    if found is None and (row is None or row.deleted_at is not None):
        return None
    return await absence.answer_entry(connection, resource, object_id, found, at)


async def forget(pool: Pool, resource: Resource, object_id: str, position: int) -> None:
    """Give up reading an object."""
    async with transaction(pool) as connection:
        await rereads.done(connection, resource.name, object_id, position)
