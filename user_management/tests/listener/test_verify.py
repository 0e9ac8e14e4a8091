"""Verification: what differs from WorkOS is found, what merely moved is not accused, and repairs are guarded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from user_management.db import jsontext
from user_management.db.session import Connection, Pool
from user_management.journal import verifications, watch
from user_management.journal.verifications import ASKED, ROLLING, Finding, Verification, VerificationMoved
from user_management.listener import repair, suspects, verify
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, why
from user_management.mirror.users import resource as users
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS


@pytest.fixture
async def followed(listener: Listener, local: LocalWorkOS) -> AsyncIterator[Listener]:
    """A copy of some hundred objects that is followed all the time."""
    await local.activity(400)
    await copies.begin(listener)
    await copies.fill(listener)
    async with copies.following(listener):
        yield listener


async def verified(listener: Listener, *, share: float = 1.0, names: tuple[str, ...] = ()) -> Verification:
    """A whole run."""
    resources = [one for one in catalog.resources() if not names or one.name in names]
    run = await verify.begin(listener.pool, resources, kind=ASKED, share=share)
    while run.finished_at is None:
        run = await verify.advance(listener.pool, listener.workos, resources, run, pages=5, hold_back=0.0)
    return run


async def found(pool: Pool, run: Verification) -> list[Finding]:
    """What a run found."""
    async with pool.acquire() as connection:
        return await verifications.findings(connection, run)


WHOLE = {one.name for one in catalog.resources() if not one.listing.partial}
"""Of the others the copy holds what WorkOS does not list, and what is not listed is not compared."""


async def held(pool: Pool) -> int:
    """How many objects the copy has of what WorkOS lists whole."""
    return sum([len(await copies.live(pool, name)) for name in WHOLE])


async def counts(pool: Pool, run: Verification) -> dict[str, int]:
    """How many objects of what WorkOS lists whole stood how in a run."""
    async with pool.acquire() as connection:
        pages = await verifications.pages(connection, run)
    total: dict[str, int] = {}
    for page in (one for one in pages if one["resource"] in WHOLE):
        for standing, count in jsontext.loads(page["counts"]).items():
            total[standing] = total.get(standing, 0) + count
    return total


async def tamper(pool: Pool, table: str, **fields: Any) -> str:
    """Change a live row behind the journal's back; its id."""
    row = await pool.fetchrow(f"SELECT id, body FROM {table} WHERE deleted_at IS NULL ORDER BY id OFFSET 3 LIMIT 1")
    assert row is not None
    body = {**jsontext.loads(row["body"]), **fields}
    await pool.execute(f"UPDATE {table} SET body = $2::text::json WHERE id = $1", row["id"], jsontext.dumps(body))
    return str(row["id"])


async def test_an_equal_copy_is_called_equal(followed: Listener, pool: Pool) -> None:
    """Every object of every resource is compared, and nothing is accused."""
    run = await verified(followed)
    assert await counts(pool, run) == {"equal": await held(pool)}
    assert not await found(pool, run)


async def test_what_differs_is_found_and_named(followed: Listener, pool: Pool) -> None:
    """A changed name, a lost row and a row too many: each by its class, its id and its key."""
    changed = await tamper(pool, "users", first_name="Mallory")
    lost = await pool.fetchval("DELETE FROM organizations WHERE id = (SELECT min(id) FROM organizations "
                               "WHERE deleted_at IS NULL) RETURNING id")  # fmt: skip
    row = await pool.fetchrow("SELECT * FROM users WHERE deleted_at IS NULL LIMIT 1")
    assert row is not None
    body = row["body"].replace(row["id"], "user_invented")
    await pool.execute(
        "INSERT INTO users (id, created_at, updated_at, position, body, email) "
        "VALUES ('user_invented', $1, $1, 1, $2::text::json, 'i@example.com')", row["created_at"], body,
    )  # fmt: skip
    by_id = {one.object_id: (one.standing, one.keys) for one in await found(pool, await verified(followed))}
    assert by_id == {
        changed: ("differs", ("first_name",)), lost: ("missing", ()), "user_invented": ("extra", ()),
    }  # fmt: skip


async def test_what_workos_changes_without_an_event_is_volatile(followed: Listener, pool: Pool) -> None:
    """It is told apart, for nobody lost it."""
    one = await tamper(pool, "users", last_sign_in_at="2001-01-01T00:00:00.000Z")
    user = await pool.fetchval("SELECT body::json->>'last_sign_in_at' FROM users WHERE id = $1", one)
    assert user.startswith("2001")
    standings = {finding.standing for finding in await found(pool, await verified(followed))}
    assert standings <= {"volatile"}


async def test_what_moves_meanwhile_is_never_accused(followed: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """While people work at WorkOS a verification accuses nobody, ever."""
    resources = catalog.resources()
    run = await verify.begin(pool, resources, kind=ASKED, share=1.0)
    while run.finished_at is None:
        looking = asyncio.create_task(verify.advance(pool, followed.workos, resources, run, pages=1, hold_back=0.0))
        await local.activity(3)
        run = await looking
    assert not [one for one in await found(pool, run) if one.standing != "volatile"]


async def test_who_came_later_was_not_compared(followed: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """The last page of a list ends nowhere; who was not there yet is not told as verified."""
    await verified(followed)
    ada = await local.user()
    await copies.drain(followed)
    async with pool.acquire() as connection:
        assert await why.verified_at(connection, users, ada["id"]) is None
    await verified(followed)
    async with pool.acquire() as connection:
        assert await why.verified_at(connection, users, ada["id"]) is not None


async def test_a_share_is_a_part_of_it(followed: Listener, pool: Pool) -> None:
    """A tenth of the parts, the same for the same run; nothing is accused for not being looked at."""
    run = await verified(followed, share=0.3)
    assert sum((await counts(pool, run)).values()) < await held(pool)
    assert not await found(pool, run)


async def test_an_interrupted_run_goes_on(followed: Listener, pool: Pool) -> None:
    """Its place is kept with every page; in the end every object was compared once."""
    resources = catalog.resources()
    run = await verify.begin(pool, resources, kind=ASKED, share=1.0)
    run = await verify.advance(pool, followed.workos, resources, run, pages=2, hold_back=0.0)
    async with pool.acquire() as connection:
        again = await verifications.unfinished(connection, ASKED)
    assert again == run
    while run.finished_at is None:
        run = await verify.advance(pool, followed.workos, resources, run, pages=3, hold_back=0.0)
    assert sum((await counts(pool, run)).values()) == await held(pool)


async def test_a_repair_goes_through_the_journal(followed: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """What was changed, lost and invented is put right, and the journal still tells the whole copy."""
    await tamper(pool, "users", first_name="Mallory")
    await pool.execute(
        "DELETE FROM organizations WHERE id = (SELECT min(id) FROM organizations WHERE deleted_at IS NULL)"
    )
    plans = await repair.plan(pool, followed.workos, catalog.resources(), await found(pool, await verified(followed)))
    assert {plan.action for plan in plans} == {repair.WRITE}
    outcomes = {await repair.carry_out(pool, catalog.resources(), plan) for plan in plans}
    assert outcomes == {"repaired"}
    await copies.assert_equal_to_source(pool, local)
    await copies.assert_equal_to_journal(pool)


async def test_a_repair_of_what_moved_is_left_alone(followed: Listener, pool: Pool) -> None:
    """Between finding and repairing an event may have told better."""
    await tamper(pool, "users", first_name="Mallory")
    plans = await repair.plan(pool, followed.workos, catalog.resources(), await found(pool, await verified(followed)))
    (plan,) = plans
    stale = replace(plan, finding=replace(plan.finding, position=plan.finding.position - 1))
    assert "changed since" in await repair.carry_out(pool, catalog.resources(), stale)


async def test_without_a_listener_nobody_is_accused(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """What differs cannot be told from what has not arrived."""
    await local.activity(50)
    await copies.begin(listener)
    await copies.fill(listener)
    await local.activity(50)
    resources = catalog.resources()
    looked = await suspects.look(pool, listener.workos, suspects.Segment(resources[1], "", verifications.Key()))
    assert looked.suspects
    with pytest.raises(suspects.NotFollowed):
        await suspects.settled(pool, looked.at, hold_back=0.0, patience=0.2)


async def test_why_tells_when_an_object_was_verified(followed: Listener, pool: Pool) -> None:
    """Of every resource; null before."""

    async def told(name: str) -> set[bool]:
        resource = next(one for one in catalog.resources() if one.name == name)
        async with pool.acquire() as connection:
            ids = await copies.live(pool, name)
            return {await why.verified_at(connection, resource, one) is not None for one in ids}

    assert await told("users") == {False}
    await verified(followed)
    assert await told("users") == await told("organization_memberships") == {True}


async def test_a_smaller_run_takes_nothing_back(followed: Listener, pool: Pool) -> None:
    """What was verified as a whole stays so, whatever part is looked at afterwards."""
    await verified(followed)
    await verified(followed, names=("organizations",))
    await verified(followed, share=0.1)
    async with pool.acquire() as connection:
        assert (await verifications.oldest_of_all(connection)).keys() == {one.name for one in catalog.resources()}


async def test_what_was_verified_by_hand_once_is_not_overdue_for_ever(
    followed: Listener, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gauge behind the alarm shows what the listener compares by itself, and so can bring up to date."""
    monkeypatch.setattr(watch, "seen", watch.Seen())
    await verified(followed)
    rolling = [one for one in catalog.resources() if one.listing.wanted]
    for compared in (rolling, rolling[:-1]):  # from the second run on, WorkOS refuses to list the last
        run = await verify.begin(pool, compared, kind=ROLLING, share=1.0)
        while run.finished_at is None:
            run = await verify.advance(pool, followed.workos, compared, run, pages=50, hold_back=0.0)
        async with pool.acquire() as connection:
            await watch.look(connection, 30.0)
        assert watch.seen.verified.keys() == {one.name for one in compared}


async def test_a_run_that_another_replaced_says_so(followed: Listener, pool: Pool) -> None:
    """It neither goes on for ever nor writes into the other's."""
    resources = catalog.resources()
    first = await verify.begin(pool, resources, kind=ASKED, share=1.0)
    await verify.begin(pool, resources, kind=ASKED, share=1.0)
    with pytest.raises(VerificationMoved):
        await verify.advance(pool, followed.workos, resources, first, pages=1, hold_back=0.0)
    async with pool.acquire() as connection:
        with pytest.raises(VerificationMoved):
            await verifications.finish(connection, first)


async def test_the_oldest_verification_is_never_called_younger(followed: Listener, pool: Pool) -> None:
    """Whatever the rolling run has reached, of each page the newest comparison counts, and of those the oldest."""
    resources = catalog.resources()
    await verified(followed)
    await pool.execute("UPDATE verified SET verified_at = verified_at - interval '1 hour' + step * interval '1 second'")
    run = await verify.begin(pool, resources, kind=ROLLING, share=1.0)
    before = datetime.min.replace(tzinfo=UTC)
    while run.finished_at is None:
        async with pool.acquire() as connection:
            found = await verifications.oldest(connection, "organization_memberships")
            left = await unreached(connection, run)
        assert found is not None
        assert (found < datetime.now(UTC) - timedelta(minutes=30)) is (left > 0)
        assert found >= before
        before = found
        run = await verify.advance(pool, followed.workos, resources, run, pages=1, hold_back=0.0)


async def unreached(connection: Connection, run: Verification) -> int:
    """How many partitions of the memberships a run has yet to finish."""
    names = [*run.resources, ""]
    ahead = names.index("organization_memberships") - names.index(run.resource)
    if ahead != 0:
        return int(ahead > 0)
    found: int = await connection.fetchval(
        "SELECT count(*) FROM verified WHERE resource = $1 AND verification_id <> $2 AND partition >= $3",
        run.resource, run.id, run.partition,
    )  # fmt: skip
    return found
