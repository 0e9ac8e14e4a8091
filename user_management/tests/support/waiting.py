"""Waiting for something to become true, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 120.0
"""Seconds until a test gives up: many, for a busy machine is no failure, and patience costs nothing."""


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE) -> None:
    """Look again and again; `TimeoutError` when it does not become true in time."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  databases and processes have no event to wait for
            await asyncio.sleep(0.02)
