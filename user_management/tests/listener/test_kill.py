"""Power cuts: a listener that is killed at any moment loses nothing and does nothing twice."""

import asyncio
import random
from asyncio.subprocess import Process

import pytest

from user_management.db.session import Pool
from user_management.tests.support import copies, processes
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until


async def equal(pool: Pool, local: LocalWorkOS) -> bool:
    """Whether the copy is complete and equals its source by now."""
    try:
        await assert_equal(pool, local)
    except (AssertionError, KeyError):
        return False
    return True


async def assert_equal(pool: Pool, local: LocalWorkOS) -> None:
    """The copy is complete and equals its source."""
    cursor, run = await pool.fetchrow("SELECT * FROM cursor"), await pool.fetchrow("SELECT * FROM backfills")
    assert cursor is not None
    assert cursor["ready_at"] is not None, (dict(cursor), dict(run or {}))
    await copies.assert_equal_to_source(pool, local)


async def settle(pool: Pool, local: LocalWorkOS) -> None:
    """Wait until the copy equals its source; if it never does, say what is missing."""
    try:
        await until(lambda: equal(pool, local))
    except TimeoutError:
        await assert_equal(pool, local)
        raise


async def meanwhile(local: LocalWorkOS, seconds: float, victim: Process) -> None:
    """Let things happen for so long, up to the moment when the victim dies, and some more while it is dead."""
    await local.call("PUT", "/_sandbox/activity", {"rate": 200})
    await asyncio.sleep(seconds)
    await processes.kill(victim)
    await local.call("PUT", "/_sandbox/activity", {"rate": 0})
    await local.activity(100)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_at_random_moments(database_url: str, pool: Pool, seed: int) -> None:
    """Backfill or tail, fetch or commit: after the last restart the copy equals its source and its journal."""
    moments = random.Random(seed)  # noqa: S311  a test's dice
    flags = ("--users", "1500", "--hold-back", "0.2", "--seed", str(seed))
    async with processes.sandbox(*flags) as url, LocalWorkOS.at(url) as local:
        environment = processes.settings(database_url, url)
        async with processes.listeners(environment) as start:
            for _ in range(5):
                await meanwhile(local, moments.uniform(0, 1), await start())
            survivor = await start()
            await settle(pool, local)
            assert await processes.end(survivor) == 0
    await copies.assert_equal_to_journal(pool)


async def test_two_listeners_one_killed_again_and_again(database_url: str, pool: Pool) -> None:
    """Two processes, and the dice say which one dies; the other takes over within seconds."""
    dice = random.Random(4)  # noqa: S311  a test's dice
    flags = ("--users", "800", "--hold-back", "0.2")
    async with processes.sandbox(*flags) as url, LocalWorkOS.at(url) as local:
        environment = processes.settings(database_url, url)
        async with processes.listeners(environment) as start:
            both = [await start(), await start()]
            for _ in range(4):
                victim = dice.randrange(2)
                await meanwhile(local, dice.uniform(0, 1), both[victim])
                both[victim] = await start()
            await settle(pool, local)
            assert [await processes.end(one) for one in both] == [0, 0]
    await copies.assert_equal_to_journal(pool)
