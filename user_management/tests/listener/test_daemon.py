"""The daemon: it leads, follows, waits, leaves, and is succeeded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from user_management.db import session
from user_management.db.session import Pool
from user_management.listener import daemon, lease, worker
from user_management.listener.worker import Listener
from user_management.sandbox.feed import Feed
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import PATIENCE, until


@asynccontextmanager
async def running(*listeners: Listener) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Listeners at work; asked to leave at the end, and expected to."""
    tasks = [asyncio.create_task(daemon.run(listener)) for listener in listeners]
    try:
        yield tasks
    finally:
        for listener in listeners:
            listener.stopping.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks, return_exceptions=True)


def another(listener: Listener) -> Listener:
    """A second listener on the same database and WorkOS."""
    return replace(listener, name=worker.name_of_this_process(), stopping=asyncio.Event())


async def equal(pool: Pool, local: LocalWorkOS) -> bool:
    """Whether the copy equals its source by now."""
    with suppress(AssertionError, KeyError, *session.Unreachable):
        await copies.assert_equal_to_source(pool, local)
        return True
    return False


async def ready(pool: Pool) -> bool:
    """Whether the copy is complete."""
    return await pool.fetchval("SELECT ready_at IS NOT NULL FROM cursor") is True


async def misbehaved(local: LocalWorkOS) -> bool:
    """Whether the local WorkOS has answered badly some times by now."""
    return await local.injected() >= 5


async def test_from_nothing_to_a_followed_copy(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Backfill and tail run side by side; what happens meanwhile is in the copy too."""
    await local.activity(200)
    async with running(listener):
        await until(lambda: ready(pool))
        await local.activity(100)
        await until(lambda: equal(pool, local))
    await copies.assert_equal_to_journal(pool)


async def test_asked_to_stop_it_leaves_and_gives_back_the_lease(listener: Listener, pool: Pool) -> None:
    """The next listener need not wait for the lease to run out."""
    async with running(listener) as (task,):
        await until(lambda: ready(pool))
        listener.stopping.set()
        await asyncio.wait_for(task, PATIENCE)
    async with pool.acquire() as connection:
        assert await lease.holder(connection) is None


async def test_two_listeners_one_works(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """When the one at work leaves, the other takes over."""
    second = another(listener)
    async with running(listener, second) as tasks:
        await until(lambda: ready(pool))
        async with pool.acquire() as connection:
            first = await lease.holder(connection)
        leading, task = (listener, tasks[0]) if first == listener.name else (second, tasks[1])
        leading.stopping.set()
        await asyncio.wait_for(task, PATIENCE)
        await local.activity(50)
        await until(lambda: equal(pool, local))


async def test_a_listener_that_dies_is_succeeded(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Nobody gives back a dead one's lease; it runs out."""
    async with pool.acquire() as connection:
        await lease.take(connection, "dead", 1.0)
    async with running(listener):
        await local.activity(20)
        await until(lambda: equal(pool, local))


async def test_two_at_work_at_once_do_no_harm(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Even without the lease: whoever is late loses its page, never the copy its truth."""
    await copies.begin(listener)
    await local.activity(300)
    pullers = [asyncio.create_task(daemon.tail(each)) for each in (listener, another(listener), another(listener))]
    fillers = [asyncio.create_task(daemon.fill(each)) for each in (listener, another(listener))]
    await local.activity(300)
    await until(lambda: equal(pool, local))
    for task in pullers + fillers:
        task.cancel()
    await asyncio.gather(*pullers, *fillers, return_exceptions=True)
    twice = await pool.fetchval("SELECT count(*) - count(DISTINCT event_id) FROM journal WHERE lane = 'events'")
    assert twice == 0
    await copies.assert_equal_to_journal(pool)


async def test_a_cursor_workos_no_longer_knows_is_begun_again(
    listener: Listener, pool: Pool, local: LocalWorkOS
) -> None:
    """After a month away the feed has forgotten our place: a backfill finds what happened, deletions too."""
    async with running(listener):
        await local.activity(100)
        await until(lambda: equal(pool, local))
    gone = next(iter(await local.objects("users")))
    await local.call("DELETE", f"/user_management/users/{gone}")
    await pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    local.app.state.store.feed = Feed()
    async with running(another(listener)):
        await until(lambda: equal(pool, local))
        await until(lambda: ready(pool))
    await copies.assert_equal_to_journal(pool)


@pytest.mark.parametrize("fault", ["429", "429-bare", "500", "503", "html", "truncated", "reset", "repeated-page"])
async def test_an_outage_is_outlived(listener: Listener, pool: Pool, local: LocalWorkOS, fault: str) -> None:
    """Whatever WorkOS answers instead: afterwards nothing is missing."""
    listener.pace = replace(listener.pace, backoff_max=0.02)
    await local.activity(150)
    await local.misbehave({fault: 0.5}, seed=3)
    async with running(listener):
        await local.activity(150)
        await until(lambda: misbehaved(local))
        await local.misbehave({})
        await until(lambda: equal(pool, local))
    await copies.assert_equal_to_journal(pool)


async def test_a_lost_database_is_waited_for(listener: Listener, pool: Pool, local: LocalWorkOS, server: str) -> None:
    """Connections cut in the middle of everything: the listener goes on when the database does."""
    name = await pool.fetchval("SELECT current_database()")
    async with running(listener) as (task,):
        await until(lambda: ready(pool))
        for _ in range(5):
            await local.activity(40)
            await cut(server, name)
        await until(lambda: equal(pool, local))
        assert not task.done()
    await copies.assert_equal_to_journal(pool)


async def cut(server: str, name: str) -> None:
    """End every connection to a database."""
    connection = await session.connect(server)
    await connection.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1", name)
    await connection.close()
