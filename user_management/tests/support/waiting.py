"""Waiting for something to become true, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable

from user_management.db.session import Connection

PATIENCE = 120.0
"""Seconds until a test gives up: many, for a busy machine is no failure, and patience costs nothing."""


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE) -> None:
    """Look again and again; `TimeoutError` when it does not become true in time."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  databases and processes have no event to wait for
            await asyncio.sleep(0.02)


async def blocked(connection: Connection, table: str) -> bool:
    """Whether somebody waits for a lock on a table (in a transaction `pg_stat_activity` does not show newcomers)."""
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)"
    return bool(await connection.fetchval(waiting, table))
