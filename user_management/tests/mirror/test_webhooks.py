"""Webhooks: a fast lane that cannot hurt. Whatever becomes of them, the copy ends as the feed alone would have it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import entries, erasures, webhooks
from user_management.journal.entries import Entry, Lane
from user_management.listener import backfill, backfills, start
from user_management.mirror.engine import catalog, provisional
from user_management.mirror.engine.rebuild import Difference, rebuild
from user_management.mirror.engine.record import record
from user_management.mirror.engine.retry import retry
from user_management.tests.support import copies
from user_management.tests.support.histories import (
    START,
    USERS,
    Delivery,
    deliveries,
    event,
    membership,
    moment,
    organization,
    told,
    user,
)

MIRRORED = ", ".join(resource.name for resource in catalog.resources())


async def bring(connection: Connection, *heard: Entry) -> None:
    """Let the feed bring these events, in a page."""
    await record(connection, catalog.resources(), [fresh(entry) for entry in heard])


async def announce(connection: Connection, *heard: Entry) -> list[bool]:
    """Let webhooks tell of these events, one by one; whether each was new."""
    return [await provisional.announce(connection, fresh(entry)) for entry in heard]


def fresh(entry: Entry) -> Entry:
    """The entry as it comes from outside, neither numbered nor judged."""
    return entries.of_event(entry.body, received_at=START) if entry.lane is Lane.EVENTS else replace(entry)


async def rows(connection: Connection) -> dict[str, Any]:
    """Every mirrored row byte for byte; its position by the event that stands there, for positions may have holes."""
    found = {}
    for resource in catalog.resources():
        own = "".join(f", {name}" for name in resource.columns)
        found[resource.name] = [
            tuple(row)
            for row in await connection.fetch(
                f"SELECT id, mirrored.created_at, mirrored.updated_at, deleted_at, journal.type, event_id, "
                f"mirrored.body::text, journal.body::text {own} "
                f"FROM {resource.name} mirrored LEFT JOIN journal USING (position) ORDER BY id"
            )
        ]
    return found


async def journalled(connection: Connection) -> list[Any]:
    """The journal in its order, without what positions and clocks say."""
    columns = "lane, type, event_id, object_id, occurred_at, verdict, body::text"
    return [tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM journal ORDER BY position")]


async def state(connection: Connection) -> tuple[Any, ...]:
    """The copy, its journal, and what was set aside."""
    parked = await connection.fetch(
        "SELECT resource, error, event_id FROM failures JOIN journal USING (position) ORDER BY position, resource"
    )
    return await rows(connection), await journalled(connection), [tuple(row) for row in parked]


async def forget(connection: Connection) -> None:
    """An empty copy."""
    await connection.execute(f"TRUNCATE journal, failures, provisional, {MIRRORED}")
    await connection.execute("UPDATE checkpoints SET position = 0")


async def deliver(connection: Connection, story: Sequence[Delivery]) -> None:
    """Let it happen: pages of the feed, webhooks, listed objects, in this order."""
    for what in story:
        if what.webhook:
            await announce(connection, *what.entries)
        else:
            await bring(connection, *what.entries)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=deliveries())
async def test_whatever_becomes_of_webhooks_the_feed_decides(pool: Pool, story: list[Delivery]) -> None:
    """Early, late, lost, repeated, in any order: byte for byte the copy, and the journal, of the feed alone."""
    async with pool.acquire() as connection:
        await forget(connection)
        await deliver(connection, [what for what in story if not what.webhook])
        alone = await state(connection)
        await forget(connection)
        await deliver(connection, story)
        assert await state(connection) == alone
        assert await connection.fetchval("SELECT count(*) FROM provisional") == 0
    await copies.assert_equal_to_journal(pool)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=deliveries(), data=st.data())
async def test_at_any_moment_a_check_finds_it_equal(pool: Pool, story: list[Delivery], data: st.DataObject) -> None:
    """With webhooks pending, too: fold(journal) and they on top is what the tables hold; a rebuild changes nothing."""
    async with pool.acquire() as connection:
        await forget(connection)
        await deliver(connection, story[: data.draw(st.integers(1, len(story)))])
        before = await rows(connection), await shadows(connection)
    for swap in (False, True):
        steps = [step async for step in rebuild(pool, catalog.resources(), swap=swap)]
        assert sum(step.total for step in steps if isinstance(step, Difference)) == 0
    async with pool.acquire() as connection:
        assert (await rows(connection), await shadows(connection)) == before


async def shadows(connection: Connection) -> list[Any]:
    """The rows kept beside."""
    return [tuple(row) for row in await connection.fetch("SELECT *, body::text FROM provisional ORDER BY resource, id")]


def ended(name: str = "event_end") -> Entry:
    """The end of an organization."""
    return event("organization.deleted", organization(tick=3), tick=3, name=name)


FAMILY = [
    event("organization.created", organization(), name="event_organization"),
    event("user.created", user(), name="event_user"),
    event("organization_membership.created", membership(), name="event_1"),
    event("organization_membership.created", membership("om_2"), name="event_2"),
]


async def living(connection: Connection) -> list[str]:
    """The memberships that have not ended."""
    found = await connection.fetch("SELECT id FROM organization_memberships WHERE deleted_at IS NULL ORDER BY id")
    return [row["id"] for row in found]


async def test_the_end_of_a_parent_is_laid_over_its_children(connection: Connection) -> None:
    """They end at once, and are as they were when it is lifted."""
    await bring(connection, *FAMILY)
    before = await rows(connection)
    assert await announce(connection, ended()) == [True]
    assert await living(connection) == []
    assert await connection.fetchval("SELECT count(*) FROM provisional") == 3
    await provisional.lift(connection)
    assert await rows(connection) == before


async def test_a_child_that_comes_while_the_end_of_its_parent_is_pending(connection: Connection) -> None:
    """It ends too, for the time being; what the feed says of the child stays what the feed says."""
    await announce(connection, ended())
    await bring(connection, *FAMILY)
    assert await living(connection) == []
    await webhooks.give_up(connection, (await webhooks.pending(connection))[0])
    await bring(connection)
    assert await living(connection) == ["om_1", "om_2"]


async def test_an_older_webhook_changes_nothing(connection: Connection) -> None:
    """Neither what is newer, nor a tie, which only the feed's order can decide."""
    await bring(connection, event("user.created", user(tick=5, first_name="feed"), name="event_5"))
    for tick in (4, 5):
        await announce(connection, event("user.updated", user(tick=tick, first_name="hook"), name=f"event_hook_{tick}"))
    assert await connection.fetchval("SELECT body->>'first_name' FROM users") == "feed"
    assert await connection.fetchval("SELECT count(*) FROM provisional") == 0


async def test_the_feeds_event_takes_the_place_of_the_webhooks(connection: Connection) -> None:
    """The journal has it once, at its final place, and knows when it was first told."""
    await announce(connection, FAMILY[1])
    await bring(connection, *FAMILY)
    found = await connection.fetch("SELECT position, lane, verdict, announced_at IS NULL FROM journal ORDER BY 1")
    assert [tuple(row) for row in found] == [
        (2, "events", "applied", True), (3, "events", "applied", False),
        (4, "events", "applied", True), (5, "events", "applied", True),
    ]  # fmt: skip


async def test_what_postgresql_refuses_of_a_webhook_is_left_to_the_feed(connection: Connection) -> None:
    """It is not parked, and the webhooks beside it are laid over the copy all the same."""
    await connection.execute("ALTER TABLE users ADD CHECK (body->>'first_name' IS DISTINCT FROM 'poison')")
    poison = event("user.created", user("user_2", first_name="poison"), name="event_poison")
    await announce(connection, poison, FAMILY[1])
    await bring(connection, FAMILY[0])
    assert await connection.fetchval("SELECT string_agg(id, ',') FROM users") == "user_1"
    assert await connection.fetchval("SELECT count(*) FROM failures") == 0
    await bring(connection, poison)
    assert await connection.fetchval("SELECT count(*) FROM failures") == 1


async def test_a_retry_is_judged_without_webhooks(connection: Connection) -> None:
    """What was parked is applied to what is confirmed, though a webhook told something newer."""
    odd = event("user.created", user() | {"email": 7}, name="event_odd")
    await bring(connection, odd)
    await connection.execute("UPDATE journal SET body = $1", FAMILY_USER)
    await announce(connection, event("user.updated", user(tick=5, first_name="hook"), tick=5, name="event_hook"))
    assert await retry(connection, 1) == []
    assert await connection.fetchval("SELECT body->>'first_name' FROM users") == "hook"
    await provisional.lift(connection)
    assert await connection.fetchval("SELECT body->>'first_name' FROM users") is None
    assert await connection.fetchval("SELECT position FROM users") == 1


FAMILY_USER = entries.of_event(FAMILY[1].body, received_at=START).text


async def test_only_so_many_are_laid_over_the_copy(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest; the others wait, and are laid over it as the feed confirms those before them."""
    monkeypatch.setattr(webhooks, "LIMIT", 2)
    created = [event("user.created", user(f"user_{n}"), name=f"event_{n}") for n in range(4)]
    await announce(connection, *created)
    assert await connection.fetchval("SELECT string_agg(id, ',' ORDER BY id) FROM users") == "user_0,user_1"
    await bring(connection, created[0])
    assert await connection.fetchval("SELECT string_agg(id, ',' ORDER BY id) FROM users") == "user_0,user_1,user_2"


async def test_a_resource_that_is_behind_is_not_laid_over(pool: Pool) -> None:
    """It has its webhooks once it has caught up."""
    async with transaction(pool) as connection:
        await bring(connection, *FAMILY[:2])
        await connection.execute("UPDATE checkpoints SET position = 0 WHERE name = 'users'")
        await announce(connection, event("user.updated", user(tick=5, first_name="hook"), tick=5, name="event_hook"))
        assert await connection.fetchval("SELECT body->>'first_name' FROM users") is None
    await start.catch_up(pool, catalog.resources())
    assert await pool.fetchval("SELECT body->>'first_name' FROM users") == "hook"
    await copies.assert_equal_to_journal(pool)


async def test_a_backfill_asks_for_what_only_a_webhook_touched(pool: Pool) -> None:
    """Known before the run and not listed by it is suspect, whatever webhooks told of it meanwhile."""
    async with transaction(pool) as connection:
        await bring(connection, *FAMILY)
        run = await backfills.request(connection, "users")
        await announce(
            connection,
            event("user.updated", user(tick=5), tick=5, name="event_hook"),
            event("user.created", user("user_new"), name="event_new"),
            ended(),
        )
        assert await backfills.absent(connection, run, "users", limit=9) == ["user_1"]
        assert await backfills.absent(connection, run, "organizations", limit=9) == ["org_1"]
    assert await backfill.next_partition(pool, "organizations", "") == backfill.Place("org_1")


async def test_a_page_is_read_again_for_what_the_feed_told_only(connection: Connection) -> None:
    """A sign-in that only a webhook told will be told again; a user that only a webhook told is no row to rise."""
    session = {"object": "session", "id": "s", "user_id": "user_1", "created_at": moment(9)}
    signed_in = event("session.created", session, tick=9, name="event_session")
    listed = told(USERS, user())
    await announce(connection, FAMILY[1], signed_in)
    assert await backfill.overtaken(connection, USERS, [listed], since=0) == set()
    await bring(connection, signed_in)
    assert await backfill.overtaken(connection, USERS, [listed], since=0) == {"user_1"}
    await bring(connection, FAMILY[1])
    assert await backfill.overtaken(connection, USERS, [listed], since=0) == set()


async def test_a_webhook_does_not_bring_back_who_was_erased(connection: Connection) -> None:
    """Of what it tells of them a digest is kept, as of what the feed tells, which then takes its place."""
    await erasures.add(connection, ["user_1"])
    await announce(connection, FAMILY[1], FAMILY[2])
    assert await connection.fetchval("SELECT count(*) FROM journal WHERE journal::text LIKE '%user_1%'") == 0
    assert not (await rows(connection))["users"]
    await bring(connection, *FAMILY)
    assert await connection.fetchval("SELECT count(*) FROM journal WHERE journal::text LIKE '%user_1%'") == 0
    assert await webhooks.count(connection) == 0
