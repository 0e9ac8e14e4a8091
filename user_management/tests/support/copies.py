"""Looking at the copy as a whole, and holding it against its source and its journal."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from user_management.db import jsontext
from user_management.db.session import Pool
from user_management.listener import backfill, backfills, daemon, pull, start
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, rebuild
from user_management.mirror.engine.resource import Resource
from user_management.tests.support.local_workos import LocalWorkOS

REDACTED = {"verification_token", "token", "accept_invitation_url"}
NOT_SHOWN = {
    "organization_roles": frozenset({"object"}),
    # An organization shows its domains without what proves them; their events, if they are followed by then, tell it.
    "organization_domains": frozenset({"verification_prefix", "verification_token"}),
}


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
        assert_equal(resource, await live(pool, resource.name), await local.objects(resource.name))


def assert_equal(resource: Resource, copy: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """What the copy has of a resource is what the source has; of one that is not listed whole, as far as it goes."""
    if not resource.listing.partial:
        assert copy.keys() == source.keys(), resource.name
    for key in source.keys() & copy.keys():
        found = differing(resource, copy[key], source[key])
        assert not found, (resource.name, key, found)


def differing(resource: Resource, copy: Mapping[str, Any], source: dict[str, Any]) -> set[str]:
    """The fields in which an object differs from its source, among those that its lists or events tell."""
    told = {name: value for name, value in known(source).items() if name not in unheard(resource)}
    return {name for name, value in told.items() if copy.get(name) != value} - passed(resource, copy, source)


def passed(resource: Resource, copy: Mapping[str, Any], source: Mapping[str, Any]) -> set[str]:
    """The state that time alone changed: a list tells it as it is by then, and what was told before stays as it was."""
    state = resource.passing
    changed = state is not None and {copy.get(state.key), source.get(state.key)} == {state.now, state.then}
    return {state.key} if state is not None and changed else set()


def unheard(resource: Resource) -> frozenset[str]:
    """What neither lists nor events need tell of a resource's objects; WorkOS calls two kinds `role`."""
    if resource.pairs:
        return frozenset({"created_at", "updated_at", "id"})
    return resource.rest_only | NOT_SHOWN.get(resource.name, frozenset())


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


async def follows(pool: Pool) -> bool:
    """Whether a poll that surely began after the listing has reached the end of the feed."""
    return await pool.fetchval("SELECT drained_at > (SELECT max(listed_at) FROM backfills) FROM cursor") is True


async def fill(listener: Listener) -> None:
    """Take the backfill that was asked for to its end, with one drain between listing and confirming."""
    async with listener.pool.acquire() as connection:
        run = await backfills.unfinished(connection)
    assert run is not None
    await backfill.list_all(listener.pool, listener.workos, listener.resources, run)
    while not await follows(listener.pool):
        await drain(listener)
    await confirm(listener)


async def confirm(listener: Listener) -> None:
    """Take a run that has listed everything to its end."""
    assert await backfill.run(
        listener.pool, listener.workos, listener.resources, max_deletions=100, patience=listener.patience
    )
