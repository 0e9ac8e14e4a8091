"""Looking at the copy as a whole, and holding it against its source and its journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from user_management.db import jsontext
from user_management.db.session import Pool
from user_management.listener import backfill, backfills, daemon, pull, start
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, rebuild
from user_management.tests.support.local_workos import LocalWorkOS

REDACTED = {"verification_token"}


async def live(pool: Pool, table: str) -> dict[str, dict[str, Any]]:
    """The living objects of a table, by id."""
    rows = await pool.fetch(f"SELECT id, body FROM {table} WHERE deleted_at IS NULL")
    return {row["id"]: jsontext.loads(row["body"]) for row in rows}


async def everything(pool: Pool) -> dict[str, list[Any]]:
    """Every row of every mirrored table, byte for byte."""
    return {
        resource.name: [
            tuple(row) for row in await pool.fetch(f"SELECT *, body::text FROM {resource.name} ORDER BY id")
        ]
        for resource in catalog.resources()
    }


async def assert_equal_to_source(pool: Pool, local: LocalWorkOS) -> None:
    """The copy holds what the source holds: no object more or less, and the same under every key its events carry."""
    for resource in catalog.resources():
        source, copy = await local.objects(resource.name), await live(pool, resource.name)
        assert copy.keys() == source.keys(), resource.name
        for key, wanted in source.items():
            found = {name: copy[key].get(name) for name in wanted}
            assert found == known(wanted), (resource.name, key)


def known(value: Any) -> Any:
    """An object of the source as a copy without secrets holds it."""
    if isinstance(value, dict):
        return {k: "[redacted]" if k in REDACTED and v is not None else known(v) for k, v in value.items()}
    return [known(item) for item in value] if isinstance(value, list) else value


async def assert_equal_to_journal(pool: Pool) -> None:
    """Folding the journal again gives the live tables, byte for byte."""
    steps = [step async for step in rebuild.rebuild(pool, catalog.resources())]
    differences = [step for step in steps if isinstance(step, rebuild.Difference)]
    assert [difference.total for difference in differences] == [0] * len(catalog.resources()), differences


@asynccontextmanager
async def following(listener: Listener) -> AsyncIterator[None]:
    """Follow the feed for the length of the block."""
    tail = asyncio.create_task(daemon.tail(listener))
    try:
        yield
    finally:
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)


async def drain(listener: Listener) -> None:
    """Pull pages until the feed's end is reached."""
    while not (await pull.commit(listener.pool, listener.resources, await fetched(listener))).drained:
        pass


async def fetched(listener: Listener) -> pull.Fetched:
    """The next page, not yet committed."""
    return await pull.fetch(listener.pool, listener.workos, listener.types)


async def begin(listener: Listener) -> None:
    """Set right what a start needs, and ask for the first backfill."""
    await start.prepare(listener.pool, listener.resources, listener.types, margin=600)


async def fill(listener: Listener) -> None:
    """Take the backfill that was asked for to its end, with one drain between listing and confirming."""
    async with listener.pool.acquire() as connection:
        run = await backfills.unfinished(connection)
    assert run is not None
    await backfill.list_all(listener.pool, listener.workos, listener.resources, run)
    await drain(listener)
    assert await backfill.run(listener.pool, listener.workos, listener.resources, max_deletions=100)
