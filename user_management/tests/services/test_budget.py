"""The budget: one for all processes, in PostgreSQL, and without it a small one of each."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import respx

from user_management.db import session
from user_management.db.session import Pool
from user_management.services.workos import budget as budgets
from user_management.services.workos import client, commands
from user_management.services.workos.bucket import Plan, Priority
from user_management.services.workos.budget import Budget
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import users
from user_management.services.workos.errors import Refused, SlowDown, WorkOSUnavailable
from user_management.telemetry import metrics
from user_management.tests.services.conftest import KEY, URL
from user_management.tests.support.waiting import PATIENCE, until

WAITED = budgets.TIMEOUT


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A busy machine's database is not away."""
    monkeypatch.setattr(budgets, "TIMEOUT", 60.0)
    yield
    metrics.budget.seen = None


def process(pool: Pool, limit: int = 6000) -> Budget:
    """The part of the budget that another process would have."""
    return Budget(pool.acquire, Plan(limit))


async def sent(budget: Budget, priority: Priority) -> int:
    """How many requests a process may send before it has to wait."""
    count = 0
    while (await budget.lease(priority, 1)).count:
        count += 1
    return count


async def test_many_processes_share_one_bucket(pool: Pool) -> None:
    """Eight that grab what they can are granted together what one would be: no token is granted twice."""
    began = await pool.fetchval("SELECT clock_timestamp()")
    counts = await asyncio.gather(*(sent(process(pool), Priority.WRITE) for _ in range(8)))
    row = await pool.fetchrow("SELECT minute + minute_before AS granted, clock_timestamp() AS ended FROM budget")
    assert row is not None
    seconds = (row["ended"] - began).total_seconds()
    assert sum(counts) == row["granted"] <= Plan().capacity + Plan().rate * seconds + 1


async def test_reads_starve_neither_the_tail_nor_a_backfill(pool: Pool) -> None:
    """However many reads go to WorkOS because the copy is old: it gets young all the same."""
    reading, listening = process(pool), process(pool)
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(flood(reading)) for _ in range(10)]
        await until(lambda: drunk(pool))
        async with asyncio.timeout(PATIENCE):
            for priority in (Priority.TAIL, Priority.BACKFILL, Priority.TAIL):
                await listening.spend(priority)
        for one in readers:
            one.cancel()


async def drunk(pool: Pool) -> bool:
    """Whether reads have left the bucket what they must, and nothing to those behind them."""
    return bool(await pool.fetchval("SELECT tokens < 15 FROM budget"))


async def flood(budget: Budget) -> None:
    """Read on and on."""
    while True:
        with suppress(WorkOSUnavailable):
            await budget.spend(Priority.READ)


def test_nobody_waits_longer_for_the_database_than_for_the_budget() -> None:
    """Else who waits gives up before a database that hangs is taken for away, and never gets what is allowed then."""
    assert min(budgets.PATIENCE.values()) > WAITED


async def test_a_lease_is_for_many_requests(pool: Pool) -> None:
    """One, then twice as many each time: of thirty requests most cost no round trip."""
    budget = process(pool)
    for _ in range(30):
        await budget.spend(Priority.TAIL)
    assert await pool.fetchval("SELECT version FROM budget") <= 6


async def test_what_is_left_is_given_back(pool: Pool) -> None:
    """A process that ends keeps nothing."""
    async with budgets.shared(pool.acquire, 6000) as budget:
        for _ in range(4):
            await budget.spend(Priority.TAIL)
        held = budget.slices[Priority.TAIL].left
        assert held > 0
    assert await pool.fetchval("SELECT minute FROM budget") == 4


async def test_a_slice_expires(pool: Pool) -> None:
    """What was leased long ago is not spent beside what others were granted since."""
    budget = process(pool)
    held = budget.slices[Priority.TAIL]
    held.left, held.size, held.expires = 5, 5, 0.0
    await budget.spend(Priority.TAIL)
    assert (held.left, held.size) == (0, 1)


async def test_one_429_stops_all(pool: Pool, router: respx.MockRouter) -> None:
    """Whoever meets it tells the others; but a write is tried all the same, now and then."""
    router.route().mock(return_value=httpx.Response(429, json={"message": "slow"}, headers={"Retry-After": "60"}))
    async with httpx.AsyncClient() as http:
        with pytest.raises(SlowDown):
            await remote(http, process(pool)).at(Priority.TAIL).request("get", ("events",))
    other = process(pool)
    assert (await other.lease(Priority.TAIL, 1)).wait == pytest.approx(60, abs=15)
    assert [(await other.lease(Priority.WRITE, 10)).count for _ in range(2)] == [1, 0]


async def test_a_quota_is_no_matter_of_pace(pool: Pool, router: respx.MockRouter) -> None:
    """`daily_quota_exceeded` is a 429, too, but slowing down does not cure it."""
    router.route().mock(return_value=httpx.Response(429, json={"code": "daily_quota_exceeded", "message": "enough"}))
    async with httpx.AsyncClient() as http:
        with pytest.raises(Refused):
            await commands.send(remote(http, process(pool)), users.create, {"email": "ada@example.com"})
    assert await pool.fetchval("SELECT blocked_until IS NULL AND pace = 1 FROM budget")


async def test_a_write_does_not_wait_for_ever(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller is told when to come again."""
    monkeypatch.setitem(budgets.PATIENCE, Priority.WRITE, 0.2)
    budget = process(pool)
    await budget.slow_down(60.0)
    await budget.spend(Priority.WRITE)
    with pytest.raises(WorkOSUnavailable) as told:
        await budget.spend(Priority.WRITE)
    assert told.value.retry_after is not None
    assert told.value.retry_after > 1


async def test_without_the_database_a_little_is_allowed() -> None:
    """Nobody stands still because the bucket cannot be reached, and nobody runs wild."""
    async with session.open_pool("postgresql://nobody@127.0.0.1:1/none", size=1) as away:
        counts = [await sent(process(away), Priority.WRITE) for _ in range(2)]
    assert all(10 <= count < 60 for count in counts)


async def test_the_gauges_tell_what_all_use(pool: Pool) -> None:
    """A process that sends nothing shows what the others do."""
    await process(pool).lease(Priority.WRITE, 7)
    metrics.budget.seen = None
    async with pool.acquire() as connection:
        await budgets.look(connection, Plan())
    seen = metrics.budget.seen
    assert seen is not None
    assert (round(seen.used), seen.limit, seen.blocked) == (7, 6000, 0)


def remote(http: httpx.AsyncClient, budget: Budget) -> WorkOS:
    """A connection that pays."""
    return client.over(http, api_key=KEY, client_id="client_1", base_url=URL, seconds=5, budget=budget)
