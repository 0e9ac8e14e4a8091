"""Waiting for something to become true, for a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Look again and again; `TimeoutError` when it does not become true in time."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  databases and processes have no event to wait for
            await asyncio.sleep(0.02)
