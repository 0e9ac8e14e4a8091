"""A copy that is followed while a command works: by the listener at work, or by this process meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from user_management import settings as configuration
from user_management.cli import edge
from user_management.cli.edge import Desk
from user_management.listener import daemon, lease, subscription
from user_management.listener.__main__ import pace
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.services.workos import budget, client
from user_management.services.workos.client import WorkOS


@asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[WorkOS]:
    """The WorkOS of the settings."""
    source = configuration.source(desk.settings)
    async with (
        budget.shared(desk.pool.acquire, desk.settings.workos_requests_per_minute) as shared,
        client.connect(
            api_key=source.api_key, client_id=source.client_id, base_url=source.base_url,
            seconds=desk.settings.workos_timeout, budget=shared,
        ) as workos,
    ):  # fmt: skip
        yield workos


@asynccontextmanager
async def followed(desk: Desk, workos: WorkOS) -> AsyncIterator[None]:
    """See that the feed is followed for the length of the block."""
    async with desk.pool.acquire() as connection:
        holder = await lease.holder(connection)
    if holder is not None:
        yield
        return
    edge.err.print("No listener is at work, so this process follows the feed meanwhile.")
    listener = listener_for(desk, workos)
    working = asyncio.create_task(daemon.run(listener))
    try:
        yield
    finally:
        listener.stopping.set()
        await working


def listener_for(desk: Desk, workos: WorkOS) -> Listener:
    """The listener that nobody else is."""
    resources = catalog.resources()
    types = subscription.types(resources, desk.settings.ignored_event_types)
    return Listener(desk.pool, workos, resources, types, pace(desk.settings))
