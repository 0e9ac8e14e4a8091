"""Backfills: complete, resumable, and careful about what they delete."""

import asyncio
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import cursor as cursors
from user_management.listener import backfill, backfills, listings, start
from user_management.listener.backfills import Backfill
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.services.workos import objects
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing
from user_management.tests.support.waiting import until


async def run(listener: Listener, *, max_deletions: int = 100) -> Backfill:
    """Take the unfinished run to its end beside a tail that follows, and show it."""
    tailing = asyncio.ensure_future(tail(listener))
    try:
        await backfill.run(listener.pool, listener.workos, listener.resources, max_deletions=max_deletions)
    finally:
        tailing.cancel()
        await asyncio.gather(tailing, return_exceptions=True)
    return await latest(listener.pool)


async def tail(listener: Listener) -> None:
    """Follow the feed without end."""
    while True:
        await copies.drain(listener)
        await asyncio.sleep(0.01)


async def latest(pool: Pool) -> Backfill:
    """The newest run."""
    async with pool.acquire() as connection:
        found = await backfills.latest(connection)
    assert found is not None
    return found


async def listed(pool: Pool) -> bool:
    """Whether the newest run has listed everything."""
    return (await latest(pool)).phase is backfills.Phase.FOLLOWING


async def ask(listener: Listener) -> None:
    """Ask for a run."""
    async with transaction(listener.pool) as connection:
        await backfills.request(connection, listener.resources[0].name)


@pytest.fixture
async def filled(listener: Listener, local: LocalWorkOS) -> Listener:
    """A listener whose copy is complete and drained."""
    await local.activity(120)
    await copies.begin(listener)
    await run(listener)
    return listener


async def test_memberships_of_every_status_are_listed(listener: Listener, local: LocalWorkOS) -> None:
    """WorkOS lists active memberships only, unless asked."""
    made = await local.membership(await local.user(), await local.organization())
    await local.call("PUT", f"/user_management/organization_memberships/{made['id']}/deactivate")
    await copies.begin(listener)
    await listener.pool.execute("UPDATE cursor SET boundary = now()")
    await run(listener)
    assert (await copies.live(listener.pool, "organization_memberships"))[made["id"]]["status"] == "inactive"


async def test_the_copy_is_ready_only_when_drained_after_the_listing(listener: Listener, local: LocalWorkOS) -> None:
    """Listed is not complete: what happened meanwhile must have been followed."""
    await local.activity(30)
    await copies.begin(listener)
    running = asyncio.create_task(backfill.run(listener.pool, listener.workos, listener.resources, max_deletions=0))
    await until(lambda: listed(listener.pool))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, 0.5)
    async with listener.pool.acquire() as connection:
        assert (await cursors.read(connection)).ready_at is None
    await run(listener)
    async with listener.pool.acquire() as connection:
        assert (await cursors.read(connection)).ready_at is not None


async def test_a_killed_backfill_goes_on_where_it_was(listener: Listener, local: LocalWorkOS) -> None:
    """Cut off again and again, it ends as if it had not been, without listing everything anew each time."""
    await local.activity(900)
    await copies.begin(listener)
    await local.misbehave({"500": 0.3}, seed=7, paths="/user_management")
    cuts = 0
    while (await latest(listener.pool)).phase is backfills.Phase.LISTING:
        try:
            await run(listener)
        except WorkOSUnavailable:
            cuts += 1
    await local.misbehave({})
    await run(listener)
    everything = sum([len(await local.objects(resource.name)) for resource in listener.resources])
    assert cuts > 0
    assert (await latest(listener.pool)).listed < everything + 100 * (cuts + 1)
    await copies.assert_equal_to_source(listener.pool, local)


async def lose(listener: Listener, local: LocalWorkOS, kind: str, count: int) -> list[str]:
    """Delete objects at the source and lose the events that tell of it; their ids."""
    paths = {"users": "/user_management/users", "organizations": "/organizations"}
    gone = list(await local.objects(kind))[:count]
    for key in gone:
        await local.call("DELETE", f"{paths[kind]}/{key}")
    head = (await local.call("GET", "/_sandbox"))["head"]
    await listener.pool.execute("UPDATE cursor SET event_id = $1", head)
    return gone


async def test_what_is_gone_without_an_event_is_found(filled: Listener, local: LocalWorkOS) -> None:
    """Absent from the list, then confirmed with a 404 one by one; journalled like everything else."""
    gone = await lose(filled, local, "users", 3)
    await ask(filled)
    done = await run(filled)
    assert done.absent >= 3
    assert set(gone).isdisjoint(await copies.live(filled.pool, "users"))
    assert await filled.pool.fetchval("SELECT count(*) FROM journal WHERE type = 'user.deleted' AND lane = 'list'") == 3
    await copies.assert_equal_to_journal(filled.pool)


async def test_absence_alone_deletes_nothing(filled: Listener, local: LocalWorkOS) -> None:
    """A list that leaves out what is there costs one question each, and no object."""
    before = await copies.live(filled.pool, "users")
    del local.app.state.store.users.ids[:2]
    await ask(filled)
    done = await run(filled)
    assert (done.absent, await copies.live(filled.pool, "users")) == (2, before)


async def test_too_many_deletions_are_left_to_an_operator(filled: Listener, local: LocalWorkOS) -> None:
    """A source that has forgotten half of everybody, as with the wrong key, deletes nobody."""
    before = await copies.live(filled.pool, "users")
    await lose(filled, local, "users", len(before) // 2)
    await ask(filled)
    done = await run(filled, max_deletions=3)
    assert "BACKFILL_MAX_DELETIONS" in done.note
    assert await copies.live(filled.pool, "users") == before


async def test_an_organization_deleted_meanwhile_is_an_empty_partition(filled: Listener, local: LocalWorkOS) -> None:
    """Its memberships end with it, and the backfill goes on with the next one."""
    gone = (await lose(filled, local, "organizations", 1))[0]
    await ask(filled)
    await run(filled)
    members = (await copies.live(filled.pool, "organization_memberships")).values()
    assert gone not in {member["organization_id"] for member in members}


async def test_a_refused_list_cursor_starts_the_list_again(filled: Listener, local: LocalWorkOS) -> None:
    """The object a page ended with may be gone when the next is asked for."""
    await ask(filled)
    await filled.pool.execute("UPDATE backfills SET resource = 'users', after = 'user_unknown' WHERE unfinished")
    assert (await run(filled)).phase is backfills.Phase.DONE
    await copies.assert_equal_to_source(filled.pool, local)


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_list_cursor_is_refused_with_whatever_number(filled: Listener, refusing: Refusing, status: int) -> None:
    """Nothing says which: the list is begun again."""
    await ask(filled)
    await filled.pool.execute("UPDATE backfills SET resource = 'users', after = 'user_unknown' WHERE unfinished")
    refusing.refusal = lambda request: status if request.url.params.get("after") == "user_unknown" else 0
    assert (await run(filled)).phase is backfills.Phase.DONE


async def test_a_list_that_never_gets_past_a_place_ends_with_the_refusal(
    filled: Listener, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is begun again once, and not for ever: the daemon waits before it tries anew."""
    monkeypatch.setattr(objects, "LIMIT", 1)
    asked: list[str] = []
    refusing.refusal = lambda request: refused_behind(request, "/user_management/users", asked)
    await ask(filled)
    with pytest.raises(backfill.CutShort, match=r"400: .* behind user_"):
        await run(filled)
    assert [bool(after) for after in asked] == [False, True, False, True]


async def test_a_family_that_is_listed_in_part_is_left_out_and_loses_nothing(
    filled: Listener, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not keep everything else from being complete; whatever it is asked about, WorkOS is asked."""
    monkeypatch.setattr(objects, "LIMIT", 1)
    before = await copies.live(filled.pool, "invitations")
    refusing.refusal = lambda request: refused_behind(request, "/user_management/invitations", [])
    await ask(filled)
    done = await run(filled)
    assert (done.phase, done.left_out, done.absent) == (backfills.Phase.DONE, ("invitations",), 0)
    assert (await copies.live(filled.pool, "invitations"), len(before) > 1) == (before, True)


def refused_behind(request: httpx.Request, path: str, asked: list[str]) -> int:
    """The refusal of whatever is behind the first page of a list; notes what that list is asked for."""
    if request.url.path != path:
        return 0
    asked.append(request.url.params.get("after", ""))
    return 400 if asked[-1] else 0


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_list_whose_parent_is_gone_is_empty_whatever_the_number(
    filled: Listener, local: LocalWorkOS, refusing: Refusing, status: int
) -> None:
    """The organization is asked for, and is not there; it ends once everything was listed."""
    gone = (await lose(filled, local, "organizations", 1))[0]
    refusing.refusal = lambda request: status if request.url.params.get("organization_id") == gone else 0
    await ask(filled)
    assert (await run(filled)).phase is backfills.Phase.DONE
    assert gone not in await copies.live(filled.pool, "organizations")


async def test_what_a_list_shows_twice_is_seen_once(filled: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a list is begun again while its first page waits to be written."""
    real = listings.page

    async def doubled(*arguments: Any) -> Any:
        page = await real(*arguments)
        page.objects.extend(list(page.objects))
        return page

    monkeypatch.setattr(listings, "page", doubled)
    await ask(filled)
    assert (await run(filled)).phase is backfills.Phase.DONE


async def test_a_run_asked_for_twice_is_one_run(filled: Listener) -> None:
    """Who asks while one is at work is given that one."""
    await ask(filled)
    await ask(filled)
    assert await filled.pool.fetchval("SELECT count(*) FROM backfills WHERE unfinished") == 1


async def test_two_listeners_cannot_take_the_same_step(filled: Listener) -> None:
    """The place of a run is compared and set."""
    await ask(filled)
    stale = await latest(filled.pool)
    async with transaction(filled.pool) as connection:
        await backfills.move(connection, stale, after="further")
    with pytest.raises(backfills.BackfillMoved):
        async with transaction(filled.pool) as connection:
            await backfills.move(connection, stale, after="elsewhere")


async def test_following_more_types_asks_for_a_backfill(filled: Listener) -> None:
    """The feed does not go back for a type that is added later; the lists do."""
    await start.prepare(filled.pool, filled.resources, [*filled.types, "waitlist_user.created"], margin=600)
    assert (await latest(filled.pool)).phase is backfills.Phase.LISTING


async def test_a_complete_copy_is_not_listed_again(filled: Listener) -> None:
    """A restart goes on from the cursor."""
    before = await latest(filled.pool)
    await start.prepare(filled.pool, filled.resources, filled.types, margin=600)
    assert await latest(filled.pool) == before


async def test_a_resource_that_is_behind_is_folded_up(filled: Listener, local: LocalWorkOS) -> None:
    """A resource added later, or emptied, finds everything in the journal."""
    await filled.pool.execute("TRUNCATE organization_memberships")
    await filled.pool.execute("UPDATE checkpoints SET position = 0 WHERE name = 'organization_memberships'")
    await start.catch_up(filled.pool, filled.resources)
    await copies.assert_equal_to_source(filled.pool, local)


async def test_a_sign_in_between_listing_and_writing_is_not_lost(listener: Listener, local: LocalWorkOS) -> None:
    """It touches a user the copy does not hold yet, and what was listed before it is too old to tell of it."""
    user = await local.user(password="correct-horse-battery")
    await copies.begin(listener)
    await listener.pool.execute("UPDATE cursor SET boundary = now()")
    async with listener.pool.acquire() as connection:
        due = await backfills.unfinished(connection)
    users = catalog.by_name("users")
    assert due is not None
    assert users is not None
    begun = await backfill.move(listener.pool, due, resource="users", partition="", after="")
    steps = [step async for step in backfill.walk(listener.pool, listener.workos, users, backfill.Place())]
    await local.sign_in(user["email"], "correct-horse-battery")
    await copies.drain(listener)
    await backfill.commit(listener.pool, listener.workos, listener.resources, users, begun, steps)
    assert await copies.live(listener.pool, "users") == await local.objects("users")
    await copies.assert_equal_to_journal(listener.pool)
