"""Catching up after a long stop: side by side, in order, and nothing skipped whatever the feed's order."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from user_management.db.session import Pool
from user_management.journal.cursor import Cursor
from user_management.listener import catch_up, daemon, pull
from user_management.listener.catch_up import Stretch
from user_management.listener.pull import Fetched
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.sandbox.store import Store
from user_management.services.workos.errors import BadAnswer, WorkOSUnavailable
from user_management.services.workos.events import Page
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until

AWAY = timedelta(hours=5)
EVENTS = "SELECT event_id FROM journal WHERE lane = 'events' ORDER BY position"


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


async def begun(listener: Listener) -> Fetched:
    """The page from which on we catch up, committed."""
    fetched = await copies.fetched(listener)
    assert catch_up.due(fetched.cursor, fetched.page)
    await pull.commit(listener.pool, listener.resources, fetched)
    return fetched


async def caught_up(listener: Listener) -> int:
    """Catch up as the daemon does, in one round; how many events were new behind the first page."""
    return await catch_up.run(listener, (await begun(listener)).page)


async def place(pool: Pool) -> str:
    """The event the cursor stands at."""
    return str(await pool.fetchval("SELECT event_id FROM cursor"))


async def held(pool: Pool) -> list[str]:
    """The events in the journal, in its order."""
    return [row["event_id"] for row in await pool.fetch(EVENTS)]


def followed(local: LocalWorkOS, start: int, stop: int | None = None) -> list[str]:
    """The events of the types we follow, in a part of the feed."""
    feed, types = local.app.state.store.feed, catalog.event_types(catalog.resources())
    every = zip(feed.ids[start:stop], feed.types[start:stop], strict=True)
    return [event_id for event_id, kind in every if kind in types]


async def assert_in_step(pool: Pool, local: LocalWorkOS, start: str) -> None:
    """The journal holds the feed from behind an event up to the cursor: all of it, once, and in its order."""
    ids = local.app.state.store.feed.ids
    assert await held(pool) == followed(local, ids.index(start) + 1, ids.index(await place(pool)) + 1)


async def assert_whole(pool: Pool, local: LocalWorkOS) -> None:
    """The copy equals its source and its journal, and holds every event since we left, in the feed's order."""
    await copies.assert_equal_to_source(pool, local)
    await copies.assert_equal_to_journal(pool)
    feed = local.app.state.store.feed
    assert await held(pool) == followed(local, feed.position((await held(pool))[0]))
    assert len(await held(pool)) > 900


async def test_what_happened_meanwhile_is_there(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Nearly all of it by stretches; the usual polls go over the last ten minutes."""
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


@pytest.mark.parametrize("seconds", [0.1, 30, 3600])
async def test_the_feeds_order_need_not_be_that_of_times(
    behind: Listener, pool: Pool, local: LocalWorkOS, seconds: float
) -> None:
    """An event that stands late in the feed, but happened earlier, is not skipped; and the end is reached."""
    start = await place(pool)
    await disorder(local, random.Random(1), seconds)  # noqa: S311  a seed, no secret
    while catch_up.due((fetched := await copies.fetched(behind)).cursor, fetched.page):
        await caught_up(behind)
        await assert_in_step(pool, local, start)
    await copies.drain(behind)
    await assert_in_step(pool, local, start)
    assert await place(pool) == followed(local, 0)[-1]


async def disorder(local: LocalWorkOS, dice: random.Random, seconds: float) -> None:
    """Let a thousand things happen within half an hour, at times that go back and forth by so many seconds."""
    store, began = local.app.state.store, datetime.now(UTC) - timedelta(hours=3)
    for number in range(1000):
        at = began + timedelta(seconds=1.8 * number + dice.uniform(-seconds, seconds))
        store.time = lambda at=at: at
        await local.activity(1)
    store.time = lambda: datetime.now(UTC)


async def test_a_crash_on_the_way_loses_nothing(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """The cursor stands at what was recorded last, and the next one goes on from there."""
    start = await place(pool)
    catching = asyncio.create_task(caught_up(behind))
    await until(lambda: recorded(pool, 250))
    catching.cancel()
    await asyncio.gather(catching, return_exceptions=True)
    assert await place(pool) == (await held(pool))[-1]
    await copies.drain(behind)
    await assert_in_step(pool, local, start)
    await assert_whole(pool, local)


async def recorded(pool: Pool, count: int) -> bool:
    """Whether the journal holds so many events."""
    return bool(await pool.fetchval("SELECT count(*) >= $1 FROM journal WHERE lane = 'events'", count))


async def test_what_fails_now_and_then_is_asked_again(behind: Listener, local: LocalWorkOS) -> None:
    """A page that fails is tried again where it is: neither the round nor what was fetched is given up."""
    fetched = await begun(behind)
    await local.misbehave({"500": 0.1, "503": 0.1, "truncated": 0.1}, seed=3)
    behind.pace = replace(behind.pace, backoff_initial=0.0, backoff_max=0.0)
    assert await catch_up.run(behind, fetched.page) > 800
    assert await local.injected() > 0


async def test_a_failure_of_one_stretch_leaves_no_task_behind(behind: Listener, local: LocalWorkOS) -> None:
    """The others are given up with it, and the daemon tries again."""
    fetched = await begun(behind)
    await local.misbehave({"500": 1.0})
    with pytest.raises(WorkOSUnavailable):
        await catch_up.run(behind, fetched.page)
    assert under_way() == []


async def test_what_came_before_a_failure_is_kept(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """The cursor has moved with it, so the next try goes on from there."""
    start, fetched = await place(pool), await begun(behind)
    behind.pace = replace(behind.pace, backoff_initial=0.0, backoff_max=0.0)
    await local.misbehave({"500": 0.85}, seed=4)
    with pytest.raises(WorkOSUnavailable):
        await catch_up.run(behind, fetched.page)
    await assert_in_step(pool, local, start)


async def test_a_page_from_another_place_is_not_taken(
    behind: Listener, pool: Pool, local: LocalWorkOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that were meant for another stretch end the round at most; nothing between is skipped."""
    monkeypatch.setattr(catch_up, "PAGES", 1)
    start, fetched = await place(pool), await begun(behind)
    behind.pace = replace(behind.pace, backoff_initial=0.0, backoff_max=0.0)
    for seed in range(10):
        await local.misbehave({"repeated-page": 0.3}, seed=seed)
        with suppress(BadAnswer):
            await catch_up.run(behind, fetched.page)
        await assert_in_step(pool, local, start)


async def test_a_page_must_begin_where_the_last_one_ended(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """It is asked for from one event earlier, which it is known by; one that begins elsewhere is not believed."""
    first, second, third = followed(local, local.app.state.store.feed.position(await place(pool)))[:3]
    page = (await catch_up.ask(behind, Cursor(), [first, second])).page
    assert catch_up.ids(page.events)[:2] == [second, third]
    with pytest.raises(BadAnswer):
        await catch_up.ask(behind, Cursor(), [first, third])


async def test_a_poll_is_not_given_a_page_from_a_stretch(behind: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Nor do old answers to either take the daemon past anything."""
    start = await place(pool)
    await local.misbehave({"repeated-page": 0.3})
    tail = asyncio.create_task(daemon.tail(behind))
    await until(lambda: drained(pool))
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    await assert_in_step(pool, local, start)
    assert await place(pool) == followed(local, 0)[-1]


async def test_a_crowded_stretch_is_broken_off(
    behind: Listener, pool: Pool, local: LocalWorkOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held in memory has a bound: after so many pages the round ends, and the next begins at the cursor."""
    monkeypatch.setattr(catch_up, "MOST", 2)
    start = await place(pool)
    assert 0 < await caught_up(behind) <= 200
    await assert_in_step(pool, local, start)
    await caught_up(behind)
    await assert_in_step(pool, local, start)


async def test_asked_to_stop_it_stops(behind: Listener, local: LocalWorkOS) -> None:
    """At once, though WorkOS is away and a try is to come; what is under way is given up."""
    fetched = await begun(behind)
    behind.pace = replace(behind.pace, backoff_initial=9.0, backoff_max=9.0)
    await local.misbehave({"503": 1.0})
    hurrying = asyncio.create_task(daemon.hurry(behind, fetched))
    await until(lambda: misbehaved(local))
    behind.stopping.set()
    await hurrying
    assert under_way() == []


async def misbehaved(local: LocalWorkOS) -> bool:
    """Whether WorkOS has done so."""
    return await local.injected() > 0


def under_way() -> list[str]:
    """What catching up is still at."""
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in names if "fetch" in name or "locate" in name]


async def test_it_says_how_far_it_is(behind: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then, and at its end."""
    monkeypatch.setattr(catch_up, "TOLD", 0.0)
    with capture_logs() as logs:
        new = await caught_up(behind)
    said = [(one["event"], one["events"]) for one in logs]
    assert said[-2:] == [("feed.catching_up", new), ("feed.caught_up", new)]


async def test_once_refused_it_is_not_tried_at_every_page(behind: Listener, local: LocalWorkOS) -> None:
    """Where WorkOS will not be asked from a time on, the polls do the work, and it is said once."""
    fetched, store = await begun(behind), local.app.state.store
    store.config = replace(store.config, retention_days=0)
    with capture_logs() as logs:
        for _ in range(3):
            await daemon.hurry(behind, fetched)
    assert [one["event"] for one in logs] == ["feed.one_by_one"]


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
    plan.learn(first, 10_000)
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
    """A page tells how old it is by those of its events that say when they happened."""
    told = a("2026-01-01T00:00:00.000Z")
    assert catch_up.happened(Page([told, "odd", {}], end=False)) == [datetime(2026, 1, 1, tzinfo=UTC)]
    now = Cursor(now=datetime(2026, 1, 2, tzinfo=UTC))
    assert not catch_up.due(now, Page(["odd"], end=False))
    assert catch_up.due(now, Page([told], end=False))
