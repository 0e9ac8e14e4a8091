"""Webhooks: a fast lane that cannot hurt. Whatever becomes of them, the copy ends as the feed alone would have it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings

from user_management.db.session import Connection, Pool
from user_management.journal import entries
from user_management.journal.entries import Entry, Lane
from user_management.mirror.engine import catalog, provisional
from user_management.mirror.engine.record import record
from user_management.tests.support import copies
from user_management.tests.support.histories import (
    START,
    Delivery,
    deliveries,
)

MIRRORED = ", ".join(resource.name for resource in catalog.resources())


async def bring(connection: Connection, *told: Entry) -> None:
    """Let the feed bring these events, in a page."""
    await record(connection, catalog.resources(), [fresh(entry) for entry in told])


async def announce(connection: Connection, *told: Entry) -> list[bool]:
    """Let webhooks tell of these events, one by one; whether each was new."""
    return [await provisional.announce(connection, fresh(entry)) for entry in told]


def fresh(entry: Entry) -> Entry:
    """The entry as it comes from outside, neither numbered nor judged."""
    return entries.of_event(entry.body, received_at=START) if entry.lane is Lane.EVENTS else replace(entry)


async def rows(connection: Connection) -> dict[str, Any]:
    """Every mirrored row byte for byte; its position by the event that stands there, for positions may have holes."""
    found = {}
    for resource in catalog.resources():
        own = "".join(f", {name}" for name in resource.columns)
        found[resource.name] = [
            tuple(row)
            for row in await connection.fetch(
                f"SELECT id, mirrored.created_at, mirrored.updated_at, deleted_at, journal.type, event_id, "
                f"mirrored.body::text, journal.body::text {own} "
                f"FROM {resource.name} mirrored LEFT JOIN journal USING (position) ORDER BY id"
            )
        ]
    return found


async def journalled(connection: Connection) -> list[Any]:
    """The journal in its order, without what positions and clocks say."""
    columns = "lane, type, event_id, object_id, occurred_at, verdict, body::text"
    return [tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM journal ORDER BY position")]


async def state(connection: Connection) -> tuple[Any, ...]:
    """The copy, its journal, and what was set aside."""
    parked = await connection.fetch(
        "SELECT resource, error, event_id FROM failures JOIN journal USING (position) ORDER BY position, resource"
    )
    return await rows(connection), await journalled(connection), [tuple(row) for row in parked]


async def forget(connection: Connection) -> None:
    """An empty copy."""
    await connection.execute(f"TRUNCATE journal, failures, provisional, {MIRRORED}")
    await connection.execute("UPDATE checkpoints SET position = 0")


async def deliver(connection: Connection, story: Sequence[Delivery]) -> None:
    """Let it happen: pages of the feed, webhooks, listed objects, in this order."""
    for what in story:
        if what.webhook:
            await announce(connection, *what.entries)
        else:
            await bring(connection, *what.entries)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=deliveries())
async def test_whatever_becomes_of_webhooks_the_feed_decides(pool: Pool, story: list[Delivery]) -> None:
    """Early, late, lost, repeated, in any order: byte for byte the copy, and the journal, of the feed alone."""
    async with pool.acquire() as connection:
        await forget(connection)
        await deliver(connection, [what for what in story if not what.webhook])
        alone = await state(connection)
        await forget(connection)
        await deliver(connection, story)
        assert await state(connection) == alone
        assert await connection.fetchval("SELECT count(*) FROM provisional") == 0
    await copies.assert_equal_to_journal(pool)
