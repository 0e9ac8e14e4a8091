"""Weather: a database that is read-only, full or cut off, and a source that talks nonsense, are outlived."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from user_management.db import session
from user_management.db.session import Connection, Pool
from user_management.journal import cursor as cursors
from user_management.journal import freshness
from user_management.journal.freshness import Freshness, State
from user_management.listener import backfills, daemon, pull, worker
from user_management.listener.worker import Listener
from user_management.sandbox.feed import Feed
from user_management.tests.listener.test_daemon import cut, equal, ready, running
from user_management.tests.support import copies
from user_management.tests.support.local_workos import URL, LocalWorkOS, connection
from user_management.tests.support.waiting import until

FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON journal EXECUTE FUNCTION full_disk();
"""
SLOW = FULL.replace("53100", "57014").replace("could not extend file: No space left on device", "statement timeout")


async def judged(pool: Pool, stale_after: float = 30.0) -> Freshness:
    """How fresh the copy is."""
    async with pool.acquire() as connection:
        found = await cursors.read(connection)
    assert found.now is not None
    return freshness.judge(
        now=found.now, drained_at=found.drained_at, ready_at=found.ready_at, stale_after=stale_after
    )  # fmt: skip


@asynccontextmanager
async def as_owner(server: str, pool: Pool) -> AsyncIterator[tuple[session.Connection, str]]:
    """A connection to the server that the weather does not touch, and the name of the test's database."""
    name = urlsplit(str(await pool.fetchval("SELECT current_database()"))).path
    owner = await session.connect(server)
    try:
        yield owner, name
    finally:
        await owner.close()


async def failing(pool: Pool, work: Callable[[], Awaitable[object]]) -> Exception:
    """The error a piece of work ends with; nothing of it is kept."""
    before = await pool.fetchval("SELECT count(*) FROM journal")
    with pytest.raises(Exception) as raised:  # noqa: PT011  which one is the caller's to judge
        await work()
    assert await pool.fetchval("SELECT count(*) FROM journal") == before
    assert isinstance(raised.value, Exception)
    return raised.value


async def test_a_failover_to_a_standby_is_outlived(
    listener: Listener, pool: Pool, local: LocalWorkOS, server: str
) -> None:
    """Read-only for a while, connections cut: reads go on, nothing is half-applied, and then it follows again."""
    async with running(listener) as (task,), as_owner(server, pool) as (owner, name):
        await until(lambda: ready(pool))
        await owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await cut(server, name)
        await local.activity(60)
        await until(lambda: refused(pool))
        assert await read(pool) >= 0
        await owner.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await cut(server, name)
        await until(lambda: equal(pool, local))
        assert not task.done()
    await copies.assert_equal_to_journal(pool)


async def refused(pool: Pool) -> bool:
    """Whether the database is read-only by now."""
    try:
        return bool(await pool.fetchval("SELECT current_setting('transaction_read_only') = 'on'"))
    except session.Unreachable:
        return False


@pytest.mark.parametrize("change", ["ALTER TABLE checkpoints RENAME TO lost", "ALTER TABLE users DROP body CASCADE"])
async def test_altered_tables_are_an_operators_to_mend(
    listener: Listener, pool: Pool, local: LocalWorkOS, change: str
) -> None:
    """It is told what to type, and no traceback."""
    await copies.begin(listener)
    await local.user()
    await pool.execute(change)
    error = await failing(pool, lambda: daemon.poll(listener))
    with capture_logs() as logs:
        worker.report("poll", error, 1.0, 1)
    assert [(one["event"], "user-management doctor" in one["error"]) for one in logs] == [("work.refused", True)]


async def read(pool: Pool) -> int:
    """How many users the copy holds."""
    found: int = await pool.fetchval("SELECT count(*) FROM users")
    return found


@pytest.mark.parametrize(("weather", "reason"), [(FULL, "waiting"), (SLOW, "waiting")], ids=["full", "slow"])
async def test_a_full_or_slow_database_is_waited_for(
    listener: Listener, pool: Pool, local: LocalWorkOS, weather: str, reason: str
) -> None:
    """Nothing of a page is kept, it is weather and no crash, and afterwards the page is applied."""
    await copies.begin(listener)
    await copies.fill(listener)
    await local.activity(40)
    await pool.execute(weather)
    error = await failing(pool, lambda: daemon.poll(listener))
    assert worker.reason(error) == reason
    await pool.execute("DROP FUNCTION full_disk CASCADE")
    await copies.drain(listener)
    await copies.assert_equal_to_source(pool, local)


class Nonsense(httpx.AsyncBaseTransport):
    """A source behind somebody who answers in its place whenever the feed is asked for, until told to stop."""

    def __init__(self, local: LocalWorkOS, answer: httpx.Response) -> None:
        self.local, self.answer, self.given, self.talking = local, answer, 0, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Nonsense, or the source's answer."""
        if self.talking and request.url.path == "/events":
            self.given += 1
            return httpx.Response(self.answer.status_code, content=self.answer.content, headers=self.answer.headers)
        return await self.local.http.send(request)


def listed(*events: object, after: str | None = None) -> httpx.Response:
    """A page of what may be no events."""
    return httpx.Response(200, json={"object": "list", "data": events, "list_metadata": {"after": after}})


NONSENSE = {
    "html": httpx.Response(200, html="<h1>We will be right back</h1>"),
    "truncated": httpx.Response(
        200, content=b'{"object":"list","data":[{"id":"event_1"', headers={"content-type": "application/json"}
    ),
    "nulls": listed(None, None, None),
    "numbers": listed(*range(100), after="99"),
    "no ids": listed(*({"event": "told", "data": {"n": n}} for n in range(100)), after="event_next"),
    "no list": httpx.Response(200, json={"object": "list", "data": {"id": "event_1"}}),
    "429": httpx.Response(429, json={"message": "Rate limit exceeded."}),
    "429 for a day": httpx.Response(429, json={"message": "slow"}, headers={"Retry-After": "0"}),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_a_source_that_talks_nonsense(listener: Listener, pool: Pool, local: LocalWorkOS, name: str) -> None:
    """The listener goes on, the age grows truthfully, nothing of it is believed, and at the end the copy is equal."""
    somebody = Nonsense(local, NONSENSE[name])
    async with httpx.AsyncClient(transport=somebody, base_url=URL) as http:
        listener.workos = connection(http, URL)
        async with running(listener) as (task,):
            await until(lambda: ready(pool))
            somebody.talking = True
            await until(lambda: said(somebody, 2))
            before = await drained_at(pool)
            await local.activity(40)
            enough = somebody.given + 6
            await until(lambda: said(somebody, enough))
            assert await drained_at(pool) == before
            somebody.talking = False
            await until(lambda: equal(pool, local))
            assert not task.done()
    await copies.assert_equal_to_journal(pool)


async def said(somebody: Nonsense, times: int) -> bool:
    """Whether so much nonsense was talked by now."""
    return somebody.given >= times


async def drained_at(pool: Pool) -> Any:
    """When the end of the feed was last reached."""
    return await pool.fetchval("SELECT drained_at FROM cursor")


async def test_a_page_that_repeats_for_ever_is_no_end(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """A poller that is alive and gets nowhere is stale, and does not begin again and again."""
    await local.activity(30)
    first = (await local.http.get("/events", params={"events": ",".join(listener.types), "limit": 100})).content
    somebody = Nonsense(local, httpx.Response(200, content=first, headers={"content-type": "application/json"}))
    async with httpx.AsyncClient(transport=somebody, base_url=URL) as http:
        listener.workos = connection(http, URL)
        listener.pace = replace(listener.pace, doubt_after=0.05)
        async with running(listener):
            await until(lambda: ready(pool))
            await local.activity(30)
            await until(lambda: equal(pool, local))
            somebody.talking = True
            await until(lambda: said(somebody, 2))
            before = await drained_at(pool)
            await until(lambda: said(somebody, 20))
            assert (await drained_at(pool), await ready(pool)) == (before, True)
    assert (await judged(pool, stale_after=1e-6)).state is State.STALE


async def test_pages_that_never_end_are_stale(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """Progress is not freshness: the age is counted from the last time the end was reached."""
    await copies.begin(listener)
    await copies.fill(listener)
    await pool.execute("UPDATE cursor SET drained_at = now() - interval '90 s'")
    await local.activity(450)
    for _ in range(3):
        assert (await daemon.poll(listener)).more
    assert (await judged(pool)).state is State.STALE
    await copies.drain(listener)
    assert (await judged(pool, stale_after=3600)).state is State.LIVE


async def test_the_age_is_told_by_one_clock(listener: Listener, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose clock is a day off makes the copy neither younger nor older."""
    await copies.begin(listener)
    fetched = await copies.fetched(listener)
    await pull.commit(pool, listener.resources, replace(fetched, asked_at=fetched.asked_at.replace(year=2020)))
    found = await judged(pool, stale_after=3600)
    assert found.age is not None
    assert found.age <= time.monotonic() - fetched.asked + 1


async def test_a_clock_that_was_set_back_heals(listener: Listener, pool: Pool) -> None:
    """Until the next poll that reaches the end the copy is stale and says why; it is never live at age 0 for hours."""
    await copies.begin(listener)
    await copies.fill(listener)
    await pool.execute("UPDATE cursor SET drained_at = now() + interval '2 hours'")
    wrong = await judged(pool, stale_after=3600)
    assert (wrong.state, wrong.age) == (State.STALE, None)
    assert "the database's clock was set back" in (wrong.reason or "")
    await copies.drain(listener)
    assert (await judged(pool, stale_after=3600)).state is State.LIVE


async def test_capped_deletions_are_seen(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """A backfill that did not dare is told by the run itself, until one is through that did."""
    gone = await local.user()
    await copies.begin(listener)
    await copies.fill(listener)
    listener.pace = replace(listener.pace, backfill_max_deletions=0)
    await local.call("DELETE", f"/user_management/users/{gone['id']}")
    local.app.state.store.feed = Feed()
    await pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    async with running(listener):
        await until(lambda: capped(pool))
    assert gone["id"] in await copies.live(pool, "users")


async def capped(pool: Pool) -> bool:
    """Whether the newest backfill found more gone than it may delete."""
    async with pool.acquire() as connection:
        run = await backfills.latest(connection)
    return run is not None and run.deletions_capped


async def test_a_database_that_takes_long_to_tell_the_time_makes_nothing_fresher(pool: Pool) -> None:
    """Found by a storm: the question was held up on its way, and the copy was called complete up to a later moment."""

    class HeldUp:
        """A connection whose statements arrive late."""

        async def fetchval(self, query: str) -> Any:
            """The answer, once the way is free."""
            await asyncio.sleep(0.05)
            return await pool.fetchval(query)

    asked = time.monotonic()
    late = await pool.fetchval("SELECT clock_timestamp()")
    assert await pull.clock_at(cast("Connection", HeldUp()), asked) <= late
