"""The listener and webhooks: it polls soon after one, and none stays provisional for ever."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from user_management.db.session import Pool, transaction
from user_management.journal import cursor as cursors
from user_management.journal import entries, webhooks
from user_management.listener import webhooks as listening
from user_management.listener.burst import MOST, Burst
from user_management.listener.worker import Listener
from user_management.mirror import users
from user_management.mirror.engine import catalog, provisional
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.tests.listener.test_daemon import cut, equal, ready, running
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing
from user_management.tests.support.waiting import until


async def announce(pool: Pool, *events: dict[str, Any]) -> None:
    """Let webhooks tell of these events."""
    for event in events:
        async with transaction(pool) as connection:
            await provisional.announce(connection, entries.of_event(event, received_at=datetime.now(UTC)))


async def feed(local: LocalWorkOS) -> list[dict[str, Any]]:
    """Every event that happened, whether the feed shows it or not."""
    types = ",".join(catalog.event_types(catalog.resources()))
    await local.call("PUT", "/_sandbox/hold-back", {"seconds": 0})
    found: list[dict[str, Any]] = (await local.call("GET", f"/events?events={types}&limit=100"))["data"]
    return found


async def pending(pool: Pool) -> int:
    """How many webhooks wait."""
    async with pool.acquire() as connection:
        return await webhooks.count(connection)


async def overdue(listener: Listener) -> int:
    """Let a poll that began an hour later have reached the end, and give up what it did not bring; how much."""
    async with listener.pool.acquire() as connection:
        behind = (await cursors.read(connection)).event_id
        await cursors.drained(connection, datetime.now(UTC) + timedelta(hours=1), behind=behind)
    return await listening.settle(listener.pool, listener.workos, listener.resources, 60.0)


def test_a_burst_is_short_and_grows_slower() -> None:
    """It begins before the usual interval, never exceeds it, and ends by itself."""
    burst = Burst()
    assert (burst.on, burst.next(2.0)) == (False, 2.0)
    burst.begin()
    waits = [burst.next(2.0) for _ in range(MOST)]
    assert (waits[:3], max(waits), burst.on) == ([0.25, 0.375, 0.5625], 2.0, False)
    assert waits == sorted(waits)


async def test_a_webhook_wakes_the_listener(
    listener: Listener, pool: Pool, local: LocalWorkOS, database_url: str
) -> None:
    """It does not wait for its interval of an hour to bring what the webhook told."""
    listener.hears, listener.pace = database_url, replace(listener.pace, poll_interval=0.05)
    async with running(listener):
        await until(lambda: ready(pool))
        listener.pace = replace(listener.pace, poll_interval=3600)
        await local.user()
        await announce(pool, *await feed(local))
        await until(lambda: confirmed(pool))
    assert await equal(pool, local)


async def confirmed(pool: Pool) -> bool:
    """Whether the feed has brought everything webhooks told, something at least."""
    told = await pool.fetchval("SELECT count(announced_at) FROM journal WHERE lane = 'events'")
    return bool(told) and await pending(pool) == 0


async def test_hearing_outlives_the_database(
    listener: Listener, pool: Pool, local: LocalWorkOS, database_url: str, server: str
) -> None:
    """Its connection is cut; a webhook after that still wakes it."""
    listener.hears = database_url
    async with running(listener):
        await until(lambda: ready(pool))
        await cut(server, await pool.fetchval("SELECT current_database()"))
        await local.user()
        await announce(pool, *await feed(local))
        await until(lambda: confirmed(pool))
        await until(lambda: heard(pool))


async def heard(pool: Pool) -> bool:
    """Whether somebody listens for webhooks."""
    return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query = 'SELECT 1')"))


async def test_what_the_feed_never_brings_is_given_up(listener: Listener, local: LocalWorkOS) -> None:
    """The object is read again, an operator is told, and nothing stays provisional."""
    await copies.begin(listener)
    user = await local.user()
    await copies.drain(listener)
    at = "2099-01-01T00:00:00.000Z"
    forged = {**user, "first_name": "Forged", "updated_at": at}
    await announce(listener.pool, {"id": "event_x", "event": "user.updated", "created_at": at, "data": forged})
    assert (await copies.live(listener.pool, "users"))[user["id"]]["first_name"] == "Forged"
    assert await overdue_is_told(listener) == [("webhook.unconfirmed", "error", "event_x")]
    copies.assert_equal(users.resource, await copies.live(listener.pool, "users"), await local.objects("users"))
    await copies.assert_equal_to_journal(listener.pool)
    assert await listener.pool.fetchval("SELECT count(*) FROM provisional") == 0
    assert await overdue(listener) == 0


async def overdue_is_told(listener: Listener) -> list[tuple[str, str, str]]:
    """What is logged when webhooks are overdue."""
    with structlog.testing.capture_logs() as lines:
        await overdue(listener)
    return [(line["event"], line["log_level"], line["event_id"]) for line in lines]


@pytest.mark.parametrize("known", [True, False])
async def test_what_is_gone_is_deleted_if_it_was_here(listener: Listener, local: LocalWorkOS, known: bool) -> None:
    """A webhook tells of an object that WorkOS does not have: a 404 ends it, and leaves nothing of one never seen."""
    await copies.begin(listener)
    user = await local.user()
    await copies.drain(listener)
    at = "2099-01-01T00:00:00.000Z"
    told = {**user, "id": user["id"] if known else "user_never", "updated_at": at}
    await announce(listener.pool, {"id": "event_x", "event": "user.updated", "created_at": at, "data": told})
    local.app.state.store.users.remove(user["id"])
    await overdue(listener)
    gone = await listener.pool.fetch("SELECT id FROM users WHERE deleted_at IS NOT NULL")
    assert [row["id"] for row in gone] == ([user["id"]] if known else [])
    await copies.assert_equal_to_journal(listener.pool)


async def keys_of_both(local: LocalWorkOS) -> list[dict[str, Any]]:
    """A key of an organization, and one of a user in it."""
    user, there = await local.user(), await local.organization()
    await local.membership(user, there)
    own = await local.call("POST", f"/organizations/{there['id']}/api_keys", {"name": "Own"})
    body = {"name": "Hers", "organization_id": there["id"]}
    return [own, await local.call("POST", f"/user_management/users/{user['id']}/api_keys", body)]


async def test_what_no_list_shows_is_not_gone(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """WorkOS lists active sessions, and perhaps not every API key: that one is not listed ends nobody's."""
    await copies.begin(listener)
    keys = await keys_of_both(local)
    user = await local.user("grace@example.com", password="correct-horse-battery")
    await local.sign_in(user["email"], "correct-horse-battery")
    await copies.drain(listener)
    [session] = await copies.live(pool, "sessions")
    await local.call("POST", "/user_management/sessions/revoke", {"session_id": session})
    told = [event for event in await feed(local) if event["event"] == "session.revoked"]
    for key in keys:
        body = (await copies.live(pool, "api_keys"))[key["id"]]
        told.append({**told[0], "id": f"event_{key['id']}", "event": "api_key.updated", "data": body})
    await announce(pool, *told)
    assert await overdue(listener) == 3
    assert (await copies.live(pool, "api_keys")).keys() == {key["id"] for key in keys}
    assert list(await copies.live(pool, "sessions")) == [session]
    await pool.execute("UPDATE cursor SET drained_at = NULL")
    await copies.drain(listener)
    assert (await copies.live(pool, "sessions"))[session]["status"] == "revoked"
    await copies.assert_equal_to_journal(pool)


async def test_one_that_workos_fails_at_keeps_no_other_waiting(
    listener: Listener, pool: Pool, local: LocalWorkOS, refusing: Refusing
) -> None:
    """The first is tried again; the second is given up meanwhile."""
    await copies.begin(listener)
    users = [await local.user(f"{name}@example.com") for name in ("ada", "grace")]
    await announce(pool, *await feed(local))
    refusing.refusal = lambda request: 500 if users[0]["id"] in request.url.path else 0
    with pytest.raises(WorkOSUnavailable):
        await overdue(listener)
    assert await pending(pool) == 1
    refusing.refusal = lambda _request: 0
    assert (await overdue(listener), await pending(pool)) == (1, 0)


async def test_what_was_given_up_may_still_be_confirmed(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """The feed has the last word, however late."""
    await copies.begin(listener)
    await local.user()
    (event,) = await feed(local)
    await announce(pool, event)
    assert await overdue(listener) == 1
    assert await pool.fetchval("SELECT verdict FROM journal WHERE lane = 'webhook'") == "unconfirmed"
    await pool.execute("UPDATE cursor SET drained_at = NULL")
    await copies.drain(listener)
    assert await confirmed(pool)
    await copies.assert_equal_to_journal(pool)


async def test_patience_counts_from_a_poll_that_reached_the_end(listener: Listener, local: LocalWorkOS) -> None:
    """While the feed cannot be read to its end, nothing is given up, however long it takes."""
    await copies.begin(listener)
    await local.user()
    await announce(listener.pool, *await feed(local))
    await listener.pool.execute("UPDATE journal SET recorded_at = now() - interval '1 day'")
    assert await listening.settle(listener.pool, listener.workos, listener.resources, 60.0) == 0
    assert await pending(listener.pool) == 1


async def test_a_sign_in_told_by_a_webhook_is_not_lost(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """It comes while its user is being listed, who was told by a webhook too; the feed brings it in its own time."""
    await copies.begin(listener)
    user = await local.user()
    await local.call("POST", "/_sandbox/sign-in", {"user_id": user["id"]})
    await announce(pool, *await feed(local))
    await copies.fill(listener)
    await copies.drain(listener)
    await copies.assert_equal_to_source(pool, local)
    await copies.assert_equal_to_journal(pool)
    assert (await copies.live(pool, "users"))[user["id"]]["last_sign_in_at"] is not None


async def test_everything_at_once(listener: Listener, pool: Pool, local: LocalWorkOS, database_url: str) -> None:
    """A backfill, the tail and webhooks of every event, each twice: the copy is the source's and the journal's."""
    listener.hears = database_url
    await local.activity(60)
    async with running(listener):
        for _ in range(3):
            await local.activity(20)
            told = (await feed(local))[-20:]
            await asyncio.gather(*(announce(pool, *order) for order in (told, told[::-1])))
        await until(lambda: equal(pool, local))
        await until(lambda: nothing_waits(pool))
    await copies.assert_equal_to_journal(pool)
    assert await pool.fetchval("SELECT count(*) FROM provisional") == 0


async def nothing_waits(pool: Pool) -> bool:
    """Whether no webhook waits."""
    return await pending(pool) == 0
