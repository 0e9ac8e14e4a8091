"""The world a benchmark runs in: a sandbox with so many users, and a copy of it, filled by a real listener."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.processes import Memory
from user_management.db import embedded, schema

LARGE = 100_000
"""More users than these are copied only once."""

ENOUGH = 1800.0
"""Seconds after which a backfill is given up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How thoroughly to measure."""

    quick: bool

    @property
    def rounds(self) -> int:
        """How often targets take turns."""
        return 3 if self.quick else 8

    @property
    def seconds(self) -> float:
        """How long a turn is."""
        return 0.3 if self.quick else 0.8

    @property
    def pages(self) -> int:
        """How many pages of events are applied in each way."""
        return 60 if self.quick else 200

    @property
    def samples(self) -> int:
        """How many changes are followed from the source to the API."""
        return 60 if self.quick else 300

    @property
    def intervals(self) -> tuple[float, ...]:
        """The poll intervals at which they are followed: a short one, and the default."""
        return (0.2,) if self.quick else (0.2, 2.0)

    def copies(self, users: int) -> int:
        """How often a copy is made, beyond the first time."""
        return 0 if self.quick or users > LARGE else 2


@dataclass(frozen=True, slots=True)
class Filling:
    """A backfill: how many objects, in how many seconds, and the listener's memory at its end."""

    objects: int
    seconds: float
    memory: Memory


@dataclass(frozen=True, slots=True)
class World:
    """A sandbox with so many users, the database that holds its copy, and how that was filled."""

    users: int
    server: str
    database: str
    sandbox: str
    folder: Path
    filling: Filling


@asynccontextmanager
async def opened(server: str, users: int, folder: Path) -> AsyncIterator[World]:
    """A world of a size on a PostgreSQL server, gone when the block ends."""
    async with processes.sandbox("--users", str(users)) as sandbox, database(server, f"bench_{users}") as url:
        yield World(users, server, url, sandbox, folder, await fill(url, sandbox, folder))


@asynccontextmanager
async def database(server: str, name: str) -> AsyncIterator[str]:
    """A migrated, empty database, dropped when the block ends."""
    url = await embedded.create(server, name)
    try:
        await schema.upgrade(url)
        yield url
    finally:
        await embedded.drop(server, name)


async def fill(database_url: str, sandbox_url: str, folder: Path) -> Filling:
    """Let a listener copy everything; it is ended when the copy is complete."""
    async with (
        processes.connected(database_url) as connection,
        processes.listener(database_url, sandbox_url, folder) as listener,
        asyncio.timeout(ENOUGH),
    ):
        while not await connection.fetchval("SELECT ready_at FROM cursor"):
            if listener.returncode is not None:
                raise RuntimeError("the listener ended before the copy was complete")
            await asyncio.sleep(0.05)
        run = await connection.fetchrow(
            "SELECT listed, extract(epoch FROM listed_at - requested_at) AS seconds FROM backfills"
        )
        assert run is not None  # noqa: S101  narrows for the type checker: a copy is complete when its run is
        return Filling(run["listed"], float(run["seconds"]), processes.memory(listener.pid))


async def settle(database_url: str) -> None:
    """Let PostgreSQL do now what it would otherwise do while it is measured."""
    async with processes.connected(database_url) as connection:
        await connection.execute("VACUUM ANALYZE", timeout=300)
        await connection.execute("CHECKPOINT", timeout=300)
