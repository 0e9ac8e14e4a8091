"""Checkpoints: how far everybody has come, and the lock that puts all writers into one order."""

import asyncio

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import checkpoints, entries
from user_management.journal.checkpoints import HEAD
from user_management.mirror.engine import catalog
from user_management.tests.support.waiting import PATIENCE

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1"


async def test_everybody_starts_before_the_first_entry(connection: Connection) -> None:
    """The journal and every resource have a checkpoint; asking again moves none."""
    names = {HEAD, *(resource.name for resource in catalog.resources())}
    assert await checkpoints.read(connection) == dict.fromkeys(names, 0)
    await checkpoints.place(connection, HEAD, 7)
    await checkpoints.ensure(connection, ["users", "roles"])
    assert await checkpoints.lock(connection) == {**dict.fromkeys(names, 0), HEAD: 7, "roles": 0}


async def test_only_those_who_are_up_to_date_move(connection: Connection) -> None:
    """A resource that is catching up does not skip what it has not applied."""
    await checkpoints.move(connection, old=0, new=10)
    await checkpoints.place(connection, "users", 4)
    await checkpoints.move(connection, old=10, new=11)
    assert await checkpoints.read(connection) == {HEAD: 11, "users": 4, "organizations": 11} | {
        name: 11 for name in await checkpoints.read(connection) if name not in {HEAD, "users", "organizations"}
    }


async def blocked(pool: Pool, pid: int) -> None:
    """Return as soon as PostgreSQL says that this process waits for a lock."""
    while not await pool.fetchval(WAITING, pid):
        pass


async def test_writers_come_one_after_the_other(pool: Pool) -> None:
    """The second writer waits until the first has committed, and then sees what it did."""
    async with pool.acquire() as second:
        pid = await second.fetchval("SELECT pg_backend_pid()")

        async def follow() -> int:
            async with second.transaction():
                return (await checkpoints.lock(second))[HEAD]

        async with transaction(pool) as first:
            await checkpoints.lock(first)
            follower = asyncio.create_task(follow())
            async with asyncio.timeout(PATIENCE):
                await blocked(pool, pid)
            await checkpoints.move(first, old=0, new=5)
            assert not follower.done()
        assert await follower == 5


async def test_a_writer_that_fails_lets_the_next_one_in(pool: Pool) -> None:
    """A transaction that is rolled back moves nothing and holds up nobody."""
    async with pool.acquire() as first:
        attempt = first.transaction()
        await attempt.start()
        await checkpoints.lock(first)
        await checkpoints.move(first, old=0, new=5)
        follower = asyncio.create_task(locked(pool))
        await attempt.rollback()
        assert await follower == 0


async def locked(pool: Pool) -> int:
    """The journal's head, as a writer reads it."""
    async with transaction(pool) as connection:
        return (await checkpoints.lock(connection))[HEAD]


async def test_readers_wait_for_nobody(pool: Pool) -> None:
    """While somebody writes, everybody else reads what is committed."""
    async with transaction(pool) as writer:
        await checkpoints.lock(writer)
        await checkpoints.move(writer, old=0, new=5)
        async with asyncio.timeout(PATIENCE), pool.acquire() as reader:
            assert (await checkpoints.read(reader))[HEAD] == 0


async def test_many_writers_leave_no_gap(pool: Pool) -> None:
    """However many append at once, positions are given out one after the other, and each once."""

    async def write(number: int) -> None:
        async with transaction(pool) as connection:
            head = (await checkpoints.lock(connection))[HEAD]
            entry = entries.of_event({"id": f"event_{number}"}, received_at=await connection.fetchval("SELECT now()"))
            await entries.append(connection, entries.number([entry], after=head))
            await checkpoints.move(connection, old=head, new=head + 1)

    await asyncio.gather(*(write(number) for number in range(24)))
    async with pool.acquire() as connection:
        found = [entry.position async for batch in entries.read(connection, after=0) for entry in batch]
        assert found == list(range(1, 25))
        assert set((await checkpoints.read(connection)).values()) == {24}
