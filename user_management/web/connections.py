"""Connections kept between requests, which spares each read the way into asyncpg's pool and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import InterfaceError, InternalClientError, PostgresError, Record
from asyncpg.pool import PoolConnectionProxy

from user_management.db.session import Connection, DatabaseUnavailable, Pool
from user_management.telemetry import metrics, spans

PATIENCE = 5.0
"""Seconds a request waits for a free connection before it says that the database is away."""


class Connections:
    """The idle connections of a pool, last used first; those in doubt go back to the pool, which looks after them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.idle: list[PoolConnectionProxy[Record]] = []
        self.waiting = 0
        metrics.pool.look = self.use

    def use(self) -> metrics.PoolUse:
        """How the connections are used: the idle ones are those of the pool and ours."""
        size, idle = self.pool.get_size(), self.pool.get_idle_size() + len(self.idle)
        return metrics.PoolUse(used=size - idle, idle=idle, most=self.pool.get_max_size(), waiting=self.waiting)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection for the length of the block; `TimeoutError` or `DatabaseUnavailable` when none is to be had."""
        connection = await self.taken()
        try:
            if spans.recording():
                with spans.queries(connection):
                    yield connection
            else:
                yield connection
        except InternalClientError as error:  # the server ended it, and asyncpg has not yet noticed
            connection.terminate()
            await self.pool.release(connection)
            raise DatabaseUnavailable(f"The connection broke: {error}", retry_after=1) from error
        except BaseException:
            await self.pool.release(connection)
            raise
        if self.waiting:
            await self.pool.release(connection)
        else:
            self.idle.append(connection)

    async def taken(self) -> "PoolConnectionProxy[Record]":
        """An idle connection that still stands, else one from the pool."""
        while self.idle:
            connection = self.idle.pop()
            if stands(connection):
                return connection
            await self.pool.release(connection)
        self.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.pool.acquire()
        except PostgresError as error:
            raise DatabaseUnavailable(f"PostgreSQL lets nobody in: {error}", retry_after=1) from error
        finally:
            self.waiting -= 1

    async def give_back(self) -> None:
        """Return what is idle, so that the pool can close."""
        while self.idle:
            await self.pool.release(self.idle.pop())


def stands(connection: "PoolConnectionProxy[Record]") -> bool:
    """Whether a connection can still be asked; one whose loss asyncpg has noticed is no longer even that."""
    try:
        return not connection.is_closed()
    except InterfaceError:
        return False
