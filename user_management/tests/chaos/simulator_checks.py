"""What must be true at the end of every run, whatever happened in it."""

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import httpx
import orjson

from user_management.db import jsontext
from user_management.db.session import Pool
from user_management.journal import checkpoints
from user_management.mirror.engine import catalog, rebuild
from user_management.sandbox import control
from user_management.tests.chaos.simulator_world import TYPES, World
from user_management.tests.support import copies

PATIENCE = 1200.0
"""Virtual seconds a copy may take to become right once nothing goes wrong any more."""


class Unsettled(AssertionError):
    """The copy did not become complete, long after everything was well again."""


async def settle(world: World, pool: Pool) -> None:
    """Wait until the copy says that it is complete and stands at the feed's end."""
    wait, until = 1.0, asyncio.get_running_loop().time() + PATIENCE
    while (state := await unsettled(world, pool)) is not None:
        if asyncio.get_running_loop().time() > until:
            raise Unsettled(state)
        await asyncio.sleep(wait)
        wait = min(wait * 1.1, 10.0)


async def unsettled(world: World, pool: Pool) -> str | None:
    """What is not yet as it will be; None when all is."""
    row = await pool.fetchrow(
        "SELECT event_id, ready_at, drained_at, (SELECT phase FROM backfills WHERE unfinished) AS backfill FROM cursor"
    )
    if row is None or row["ready_at"] is None:
        return f"not ready: {row}"
    feed = world.store.feed
    head = next(
        (key for key, kind in zip(reversed(feed.ids), reversed(feed.types), strict=True) if kind in TYPES), None
    )
    return None if row["event_id"] == head and row["backfill"] is None else f"{row}, but the feed's head is {head}"


async def check(world: World, pool: Pool, *, gaps: bool) -> None:
    """All of it; `gaps`: the feed has forgotten events before anybody followed them."""
    assert not world.crashes, world.crashes
    await check_source(world, pool, gaps=gaps)
    await (check_journal(pool) if world.small else copies.assert_equal_to_journal(pool))
    await check_events(world, pool, gaps=gaps)
    await check_parked(pool)
    await check_findings(pool)
    check_writes(world)


async def check_source(world: World, pool: Pool, *, gaps: bool) -> None:
    """What `copies.assert_equal_to_source` does, without the way through HTTP.

    What no list shows unless it is asked for is only as complete as the feed.
    """
    resources = [one for one in catalog.resources() if one.listing.wanted or not gaps]
    copy: dict[str, dict[str, Any]] = {resource.name: {} for resource in resources}
    for name, key, body in await pool.fetch(" UNION ALL ".join(map(living, copy))):
        copy[name][key] = jsontext.loads(body)
    for resource in resources:
        source = {str(resource.name_of(one)): one for one in held(world, resource.name)}
        copies.assert_equal(resource, copy[resource.name], source)


def living(name: str) -> str:
    """SQL: the living objects of a table."""
    return f"SELECT '{name}', id, body FROM {name} WHERE deleted_at IS NULL"


def held(world: World, name: str) -> list[dict[str, Any]]:
    """What WorkOS holds of a resource, in the words of its events."""
    if name == "roles":
        return [orjson.loads(one) for one in world.store.roles.values()]
    table = control._tables(world.store)[name]
    return [orjson.loads(control.line(table, key)) for key in table.ids]


async def check_journal(pool: Pool) -> None:
    """What `copies.assert_equal_to_journal` does, in tables that are made once and emptied afterwards."""
    resources = catalog.resources()
    left = "SELECT (SELECT count(*) FROM provisional) + (SELECT count(*) FROM journal WHERE lane = 'webhook')"
    assert not await pool.fetchval(left), "something is left of webhooks"
    async with pool.acquire() as connection:
        try:
            await connection.execute("; ".join(f"DELETE FROM {rebuild.beside(one)}" for one in resources))
        except asyncpg.UndefinedTableError:
            await rebuild.prepare(connection, resources)
        positions = await checkpoints.read(connection)
        assert set(positions.values()) == {positions[checkpoints.HEAD]}, positions
        async for _ in rebuild.catch_up(connection, resources, after=0, until=positions[checkpoints.HEAD]):
            pass
        differences = await connection.fetch(" UNION ALL ".join(map(rebuild.comparison, resources)))
    wrong = {one.name: tuple(found) for one, found in zip(resources, differences, strict=True) if any(found)}
    assert not wrong, f"missing, extra, different: {wrong}"


async def check_events(world: World, pool: Pool, *, gaps: bool) -> None:
    """Each event stands in the journal once, in the feed's order, and none is missing behind the first."""
    rows = await pool.fetch("SELECT event_id FROM journal WHERE lane = 'events' ORDER BY position")
    found, feed = [row["event_id"] for row in rows], world.store.feed
    places = [place for event_id in found if (place := feed.position(event_id)) is not None]
    assert len(places) == len(set(places)), f"the journal has events twice: {places}"
    assert world.astray or places == sorted(places), f"the journal's order is not the feed's: {places}"
    begun = places[0] if places else len(feed)
    missing = {place for place in range(begun, len(feed)) if feed.types[place] in TYPES} - set(places)
    assert gaps or not missing, f"{len(missing)} events of {len(feed)} are missing: {sorted(missing)[:9]}"


async def check_parked(pool: Pool) -> None:
    """Nothing was parked: no event was odd."""
    parked = await pool.fetch("SELECT position, resource, error FROM failures")
    assert not parked, [dict(row) for row in parked]


async def check_findings(pool: Pool) -> None:
    """No verification accused anybody: there was nothing to be accused of."""
    found = await pool.fetch("SELECT resource, object_id, standing, keys FROM findings WHERE standing <> 'volatile'")
    assert not found, [dict(row) for row in found]


def created_users(world: World) -> list[dict[str, Any]]:
    """The users that were ever created at WorkOS, each once."""
    users = {}
    for feed in (*world.past, world.store.feed):
        for kind, blob in zip(feed.types, feed.blobs, strict=True):
            if kind == "user.created":
                user = orjson.loads(blob)["data"]
                users[user["id"]] = user
    return list(users.values())


def freed_emails(world: World) -> list[str]:
    """The addresses that somebody freed, once for each time: by deleting their user, or by giving it another."""
    feed, held, freed = world.store.feed, dict[str, str](), list[str]()
    for kind, blob in zip(feed.types, feed.blobs, strict=True):
        if kind not in {"user.created", "user.updated", "user.deleted"}:
            continue
        user = orjson.loads(blob)["data"]
        before = held.get(user["id"], user["email"])
        if kind == "user.deleted" or before != user["email"]:
            freed.append(before)
        held[user["id"]] = user["email"]
    return freed


def check_writes(world: World) -> None:
    """WorkOS did once what was accepted, at most once what is not known, and never what was said not to be done."""
    created = Counter(user["email"] for user in created_users(world))
    sent, gone = Counter(world.sent), Counter(freed_emails(world))
    for post in world.posts:
        done = created[post.email]
        if post.keyed:
            assert post.status == httpx.codes.CREATED, f"no outcome: {post}"
            again = gone[post.email]  # nothing tells a write whose user is gone or renamed from one that never arrived
            assert 1 <= done <= 1 + again, f"done {done} times, and undone {again} times: {post}"
            assert post.visible is not False, f"accepted, and not there: {post}"
            continue
        assert sent[post.email] <= 1, f"sent {sent[post.email]} times: {post}"
        if post.status == httpx.codes.CREATED:
            assert done == 1, f"accepted, and done {done} times: {post}"
        elif post.status == httpx.codes.SERVICE_UNAVAILABLE:
            assert done == 0, f"said not to be done, and done {done} times: {post}"
        else:
            assert done <= 1, f"done {done} times: {post}"
