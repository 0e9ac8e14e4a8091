"""The listener's part in webhooks: it hears that one came, and gives up those that the feed does not confirm."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog

from user_management.db import session
from user_management.db.session import Connection, Pool, Unreachable, transaction
from user_management.journal import checkpoints, webhooks
from user_management.journal.entries import Entry
from user_management.listener import absence, listings, questions
from user_management.listener.questions import Question
from user_management.mirror.engine import fold, provisional, store
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import NotAllowed, Refused
from user_management.telemetry import metrics

log = structlog.get_logger(__name__)

ALIVE = 5.0
"""Seconds between two questions whether the connection on which we listen still stands."""


async def hear(url: str, woken: asyncio.Event, stopping: asyncio.Event) -> None:
    """Set `woken` for every webhook until asked to stop; fails when the database goes away."""
    connection = await session.connect(url, application="user-management-listener")
    try:
        await connection.add_listener(webhooks.CHANNEL, lambda *_: woken.set())
        woken.set()  # for what came while nobody listened
        while not stopping.is_set():
            await connection.execute("SELECT 1", timeout=ALIVE)
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE):
                    await stopping.wait()
    finally:
        with suppress(*Unreachable):
            await connection.close(timeout=1)


async def settle(pool: Pool, workos: WorkOS, resources: Sequence[Resource], patience: float) -> int:
    """Give up the webhooks that the feed did not confirm within so many seconds, and read their objects; how many.

    Those whose objects WorkOS does not answer for wait on, and none behind them.
    """
    async with pool.acquire() as connection:
        late = await webhooks.overdue(connection, timedelta(seconds=patience))
    asking = [
        Question(tuple(about(resources, entry)), partial(give_up, pool, workos, resources, entry)) for entry in late
    ]
    if failures := await questions.ask(pool, workos, asking):
        raise failures[0][1]
    return len(late)


async def give_up(pool: Pool, workos: WorkOS, resources: Sequence[Resource], entry: Entry) -> None:
    """Put what WorkOS says now of a webhook's objects in the place of what the webhook told."""
    asked_at = datetime.now(UTC)
    said = [(resource, key, await ask(pool, workos, resource, key)) for resource, key in about(resources, entry)]
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        if not await webhooks.give_up(connection, entry):
            return
        await provisional.lift(connection)
        answers = [await answer(connection, *one, asked_at) for one in said]
        await record(connection, resources, [found for found in answers if found is not None])
    metrics.webhooks_unconfirmed.add(1)
    log.error("webhook.unconfirmed", event_id=entry.event_id, type=entry.type, object_id=entry.object_id,
              gone=[key for _, key, found in said if found is None])  # fmt: skip


def about(resources: Sequence[Resource], entry: Entry) -> list[tuple[Resource, str]]:
    """The objects that an event changes, each with its resource; children that end with one are not among them."""
    return [(resource, key) for resource in resources for key, _ in fold.written_to(resource, [entry])]


UNREADABLE: dict[str, Any] = {}
"""What stands for an object that WorkOS does not show us."""


async def ask(pool: Pool, workos: WorkOS, resource: Resource, key: str) -> dict[str, Any] | None:
    """An object as it is; None when it is gone."""
    try:
        return await listings.get(pool, workos, resource, key)
    except (NotAllowed, Refused, listings.Unaskable):
        return UNREADABLE


async def answer(
    connection: Connection, resource: Resource, key: str, found: dict[str, Any] | None, at: datetime
) -> Entry | None:
    """The entry for what WorkOS said of an object; none if it does not show it, or if it is gone and was never here."""
    if found is UNREADABLE:
        return None
    if found is None and not await store.rows(connection, resource.name, [key]):
        return None
    return await absence.answer_entry(connection, resource, key, found, at)
