import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from user_management.db.session import Pool
from user_management.journal.freshness import State, judge
from user_management.tests.support.waiting import blocked, until
from user_management.tests.web.conftest import Serve, Tell, place

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("drained", "ready", "state", "age", "reason"),
    [
        (None, False, State.BACKFILLING, None, "the first backfill has not finished"),
        (None, True, State.BACKFILLING, None, "the first backfill has not finished"),
        (1.0, False, State.BACKFILLING, 1, "the first backfill has not finished"),
        (0.0, True, State.LIVE, 0, None),
        (29.9, True, State.LIVE, 29, None),
        (30.0, True, State.LIVE, 30, None),
        (30.1, True, State.STALE, 30, "the feed's end was last reached 30 s ago; the limit is 30 s"),
        (-5.0, True, State.LIVE, 0, None),
        (
            -3600.0,
            True,
            State.STALE,
            None,
            "the feed's end was last reached 3600 s from now: the database's clock was set back",
        ),
        (-3600.0, False, State.BACKFILLING, None, "the first backfill has not finished"),
        (40 * 86400.0, True, State.STALE, 3456000, "the feed's end was last reached 3456000 s ago; the limit is 30 s"),
    ],
)
def test_freshness_is_judged_by_two_instants(
    drained: float | None, ready: bool, state: State, age: int | None, reason: str | None
) -> None:
    """A copy is live when it is complete and reached the feed's end lately; its age is never negative."""
    at = None if drained is None else NOW - timedelta(seconds=drained)
    found = judge(now=NOW, drained_at=at, ready_at=NOW if ready else None, stale_after=30)
    assert (found.state, found.as_of, found.age, found.reason) == (state, at, age, reason)


@pytest.mark.parametrize(("path", "status"), [("users", 200), ("users/user_0001", 200), ("users/user_none", 404)])
async def test_a_read_tells_its_age(serve: Serve, pool: Pool, tell: Tell, path: str, status: int) -> None:
    """A list, an object and even a 404 say how old they may be and how much of the journal they hold."""
    await tell("users", 3)
    began = datetime.now(UTC)
    await place(pool, drained=7)
    async with serve(stale_after=3600) as api:
        answer = await api.get(f"/api/{path}")
    assert answer.status_code == status
    assert (answer.headers["Replica-State"], answer.headers["Replica-Position"]) == ("live", "3")
    assert 7 <= int(answer.headers["Age"]) <= 7 + (datetime.now(UTC) - began).total_seconds()
    assert answer.headers["Replica-As-Of"].endswith("Z")


async def test_a_copy_that_never_was_complete_has_no_age(api: httpx.AsyncClient) -> None:
    """Before the end of the feed was ever reached a read says that it is backfilling, and no age."""
    answer = await api.get("/api/users")
    assert answer.headers["Replica-State"] == "backfilling"
    assert not {"age", "replica-as-of"} & set(answer.headers)


async def test_ready_says_why_not(api: httpx.AsyncClient, pool: Pool) -> None:
    """Readiness is refused in words while the copy is not complete and while it is too old."""
    empty = await api.get("/api/ready")
    assert (empty.status_code, empty.json()["state"]) == (503, "backfilling")
    await place(pool, drained=95)
    old = await api.get("/api/ready")
    assert (old.status_code, old.json()["state"], old.headers["Replica-State"]) == (503, "stale", "stale")
    assert "the limit is 30 s" in old.json()["detail"]


@pytest.mark.parametrize(("sandbox", "source"), [(True, "sandbox"), (False, "workos")])
async def test_ready_says_whether_people_are_made_up(serve: Serve, pool: Pool, sandbox: bool, source: str) -> None:
    """Ready or not, the answer names what is copied."""
    async with serve(sandbox=sandbox, stale_after=3600) as api:
        refused = await api.get("/api/ready")
        await place(pool, drained=1)
        ready = await api.get("/api/ready")
    assert (refused.status_code, refused.json()["source"]) == (503, source)
    assert (ready.status_code, ready.json()["source"]) == (200, source)


async def test_ready_when_complete_and_fresh(serve: Serve, pool: Pool) -> None:
    """A copy that is complete and fresh is ready, and health asks nothing of it."""
    await place(pool, drained=1)
    async with serve(stale_after=3600) as api:
        ready = await api.get("/api/ready")
        assert (ready.status_code, ready.json()["status"], ready.json()["state"]) == (200, "ready", "live")
        assert (await api.get("/api/health")).json() == {"status": "alive"}


async def test_a_pool_that_is_used_up_is_no_database_that_is_away(serve: Serve, pool: Pool) -> None:
    """While a read holds the only connection, readiness is still told, over a connection kept aside."""
    await place(pool, drained=1)
    async with serve(pool_size=1, stale_after=3600) as api:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            waiting = asyncio.create_task(api.get("/api/users"))
            await until(lambda: blocked(connection, "users"))
            assert (await api.get("/api/ready")).status_code == 200
        assert (await waiting).status_code == 200


async def test_a_clock_set_back_is_told_and_not_guessed_away(serve: Serve, pool: Pool) -> None:
    """The end of the feed cannot lie ahead: such a copy is stale, and has no age."""
    await place(pool, drained=-7200)
    async with serve(stale_after=3600) as api:
        answer, ready = await api.get("/api/users"), await api.get("/api/ready")
    assert (answer.headers["Replica-State"], "age" in answer.headers) == ("stale", False)
    assert "the database's clock was set back" in ready.json()["detail"]
