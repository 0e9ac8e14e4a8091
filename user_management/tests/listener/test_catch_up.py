"""Catching up after a long stop: side by side, in order, and nothing skipped whatever the feed's order."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from user_management.db.session import Pool
from user_management.listener import catch_up, daemon, pull
from user_management.listener.catch_up import Stretch
from user_management.listener.worker import Listener
from user_management.sandbox.feed import Feed
from user_management.sandbox.store import Store
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until

AWAY = timedelta(hours=5)


@pytest.fixture
async def behind(listener: Listener, pool: Pool, local: LocalWorkOS) -> Listener:
    """A copy that was followed five hours ago; a thousand events have happened since."""
    store: Store = local.app.state.store
    now = datetime.now(UTC) - AWAY
    store.time = lambda: now
    await local.activity(50)
    await copies.begin(listener)
    await copies.fill(listener)
    last = store.feed.ids[-1]
    await pool.execute("UPDATE cursor SET event_id = $1, event_at = $2, drained_at = $2, boundary = $2", last, now)
    for _ in range(50):
        now += AWAY / 50
        await local.activity(20)
    return listener


async def tried(listener: Listener) -> pull.Fetched:
    """The next page."""
    return await pull.fetch(listener.pool, listener.workos, listener.types)


async def caught_up(listener: Listener) -> int:
    """Catch up; how many events were new."""
    fetched = await tried(listener)
    assert catch_up.due(fetched.cursor, fetched.page)
    return await catch_up.run(
        listener.pool, listener.workos, listener.resources, listener.types, fetched.cursor, fetched.page
    )


async def assert_whole(pool: Pool, local: LocalWorkOS) -> None:
    """The copy equals its source and its journal, and holds every event of the feed once."""
    await copies.assert_equal_to_source(pool, local)
    await copies.assert_equal_to_journal(pool)
    held = await pool.fetch("SELECT event_id FROM journal WHERE lane = 'events'")
    assert len(held) == len({row["event_id"] for row in held})


async def test_what_happened_meanwhile_is_there(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Nearly all of it by stretches; the usual polls go over the last twenty minutes."""
    assert await caught_up(behind) > 800
    await copies.drain(behind)
    await assert_whole(pool, local)


async def test_the_daemon_does_so_by_itself(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """And is live again."""
    tail = asyncio.create_task(daemon.tail(behind))
    await until(lambda: drained(pool))
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    await assert_whole(pool, local)
    assert await pool.fetchval("SELECT ready_at IS NOT NULL FROM cursor")


async def drained(pool: Pool) -> bool:
    """Whether the end of the feed was reached of late."""
    return bool(await pool.fetchval("SELECT drained_at > now() - interval '1 minute' FROM cursor"))


async def test_the_feeds_order_need_not_be_that_of_times(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """An event that stands late in the feed, but happened minutes earlier, is not skipped."""
    assert sum(swap(local.app.state.store.feed, number) for number in range(200, 1000)) > 100
    await caught_up(behind)
    await copies.drain(behind)
    held = await pool.fetchval("SELECT count(*) FROM journal WHERE lane = 'events'")
    assert held >= len(local.app.state.store.feed) - 60
    await copies.assert_equal_to_journal(pool)


def swap(feed: Feed, number: int) -> bool:
    """Let two neighbours of the feed change places, but keep their times; only two of one type are."""
    if feed.types[number] != feed.types[number + 1]:
        return False
    feed.ids[number : number + 2] = reversed(feed.ids[number : number + 2])
    feed.blobs[number : number + 2] = reversed(feed.blobs[number : number + 2])
    feed._positions |= {feed.ids[number]: number, feed.ids[number + 1]: number + 1}
    return True


async def test_a_crash_on_the_way_loses_nothing(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """The cursor stands where it stood; what is known is dropped when it is fetched again."""
    before = await pool.fetchrow("SELECT event_id, event_at FROM cursor")
    catching = asyncio.create_task(caught_up(behind))
    await until(lambda: recorded(pool, 150))
    catching.cancel()
    await asyncio.gather(catching, return_exceptions=True)
    assert await pool.fetchrow("SELECT event_id, event_at FROM cursor") == before
    await caught_up(behind)
    await copies.drain(behind)
    await assert_whole(pool, local)


async def recorded(pool: Pool, count: int) -> bool:
    """Whether the journal holds so many events."""
    return bool(await pool.fetchval("SELECT count(*) >= $1 FROM journal WHERE lane = 'events'", count))


async def test_a_failure_of_one_stretch_leaves_no_task_behind(behind: Listener, local: LocalWorkOS) -> None:
    """The others are given up with it, and the daemon tries again."""
    await local.misbehave({"500": 0.5})
    while not await refused(behind):
        pass
    assert not [task for task in asyncio.all_tasks() if "fetch" in str(task.get_coro())]


async def refused(listener: Listener) -> bool:
    """Whether catching up was ended by WorkOS."""
    try:
        await caught_up(listener)
    except WorkOSUnavailable:
        return True
    return False


async def test_many_events_of_one_instant(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """More than a page of them, across the end of a stretch, all come."""
    await local.activity(250)
    await caught_up(behind)
    await copies.drain(behind)
    await assert_whole(pool, local)


def test_stretches_follow_the_density_of_events() -> None:
    """Crowded times are cut short, empty ones are passed in long strides; none reaches beyond the horizon."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    plan = catch_up.Plan(start, start + timedelta(hours=2), timedelta(minutes=10))
    first = plan.next()
    assert first == Stretch(start, start + timedelta(minutes=10))
    plan.learn(first, 5000)
    assert plan.length == timedelta(minutes=2.5)
    plan.learn(first, 0)
    assert plan.length == timedelta(minutes=40)
    stretches = [one for _ in range(9) if (one := plan.next()) is not None]
    assert stretches[-1].end == plan.horizon
    assert all(before.end == after.start for before, after in zip([first, *stretches], stretches, strict=False))


def a(at: str) -> dict[str, Any]:
    """An event at a time."""
    return {"object": "event", "id": at, "created_at": at}


def test_what_has_no_time_is_not_old() -> None:
    """An odd event belongs to the stretch it came with."""
    assert catch_up.happened(a("2026-01-01T00:00:00.000Z")) == datetime(2026, 1, 1, tzinfo=UTC)
    assert catch_up.happened("odd") is None
