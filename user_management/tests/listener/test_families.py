"""The families on their whole way: from WorkOS over lists and events into the copy."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from user_management.db.session import transaction
from user_management.journal import verifications, watch
from user_management.journal.verifications import ROLLING, Verification
from user_management.listener import backfill, backfills, listings, rolling, subscription, suspects, verify
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.services.workos import event_types, objects
from user_management.services.workos.errors import NotAllowed, Refused
from user_management.tests.listener.test_webhooks import announce, overdue
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing
from user_management.tests.support.roles import read_all


async def again(listener: Listener, *also: str) -> backfills.Backfill:
    """Another backfill, from its request to its end."""
    async with transaction(listener.pool) as connection:
        await backfills.request(connection, listener.resources[0].name, also)
    await copies.fill(listener)
    async with listener.pool.acquire() as connection:
        found = await backfills.latest(connection)
    assert found is not None
    return found


async def lose_events(listener: Listener, local: LocalWorkOS) -> None:
    """Let everything that has happened by now be untold."""
    head = (await local.call("GET", "/_sandbox"))["head"]
    await listener.pool.execute("UPDATE cursor SET event_id = $1", head)


async def test_everything_is_listed(filled: Listener, local: LocalWorkOS) -> None:
    """Every family is in the copy after the first backfill, equal to the source and to the journal."""
    await copies.assert_equal_to_source(filled.pool, local)
    await copies.assert_equal_to_journal(filled.pool)
    empty = [one.name for one in catalog.resources() if not await copies.live(filled.pool, one.name)]
    assert empty in ([], ["sessions"])


async def test_everything_is_followed(filled: Listener, local: LocalWorkOS) -> None:
    """And stays so by events alone."""
    await local.activity(400)
    await copies.drain(filled)
    await read_all(filled)
    await copies.assert_equal_to_source(filled.pool, local)
    await copies.assert_equal_to_journal(filled.pool)


@pytest.mark.parametrize("lost", [False, True])
async def test_a_customer_that_is_none_any_more(filled: Listener, local: LocalWorkOS, *, lost: bool) -> None:
    """WorkOS says nothing of a `stripe_customer_id` that was cleared, neither in the event nor in the list."""
    organization = await local.organization()
    at = f"/organizations/{organization['id']}"
    await local.call("PUT", at, {"stripe_customer_id": "cus_1"})
    await copies.drain(filled)
    assert (await copies.live(filled.pool, "organizations"))[organization["id"]]["stripe_customer_id"] == "cus_1"
    await local.call("PUT", at, {"stripe_customer_id": None})
    if lost:
        await lose_events(filled, local)
        await again(filled)
    await copies.drain(filled)
    assert "stripe_customer_id" not in (await copies.live(filled.pool, "organizations"))[organization["id"]]
    await copies.assert_equal_to_journal(filled.pool)


async def test_roles_of_the_environment_are_none_of_an_organizations(filled: Listener, local: LocalWorkOS) -> None:
    """WorkOS lists them in every organization; ours says whose each is."""
    found = await copies.live(filled.pool, "organization_roles")
    assert found.keys() == (await local.objects("organization_roles")).keys()
    assert all(key == f"{one['organization_id']}:{one['slug']}" for key, one in found.items())
    assert {one["slug"] for one in found.values()}.isdisjoint(await copies.live(filled.pool, "roles"))


@pytest.mark.parametrize("name", [one.name for one in catalog.resources() if one.pairs])
async def test_a_pair_that_is_gone_without_an_event_is_found(filled: Listener, local: LocalWorkOS, name: str) -> None:
    """Absent from its group's list, and absent again when the list is asked once more."""
    key, pair = next(iter((await local.objects(name)).items()))
    if name == "group_memberships":
        group = (await local.objects("groups"))[pair["group_id"]]
        path = f"/organizations/{group['organization_id']}/groups/{pair['group_id']}/organization-memberships"
        await local.call("DELETE", f"{path}/{pair['organization_membership_id']}")
    else:
        path = f"/_sandbox/directory_groups/{pair['directory_group_id']}/users"
        await local.call("DELETE", f"{path}/{pair['directory_user_id']}")
    await lose_events(filled, local)
    await again(filled)
    assert key not in await copies.live(filled.pool, name)
    await copies.assert_equal_to_journal(filled.pool)


async def test_a_permission_made_anew_unseen_is_another_one(filled: Listener, local: LocalWorkOS) -> None:
    """It is asked for by its slug, under which WorkOS has another by now."""
    body = {"slug": "reports:read", "name": "Read reports"}
    first = await local.call("POST", "/authorization/permissions", body)
    await copies.drain(filled)
    await local.call("DELETE", "/authorization/permissions/reports:read")
    second = await local.call("POST", "/authorization/permissions", body)
    await lose_events(filled, local)
    await again(filled)
    found = await copies.live(filled.pool, "permissions")
    assert (first["id"] in found, second["id"] in found) == (False, True)


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize(
    ("name", "part"), [("groups", "/groups"), ("connections", "/connections"), ("roles", "/authorization/roles")]
)
async def test_a_family_that_is_refused_is_left_out(
    filled: Listener, refusing: Refusing, status: int, name: str, part: str
) -> None:
    """With a note; nothing of it is taken to be gone, and nobody else waits for it."""
    before = await copies.live(filled.pool, name)
    refusing.refusal = lambda request: status if request.url.path.endswith(part) else 0
    done = await again(filled)
    assert (done.left_out, done.absent, done.phase) == ((name,), 0, backfills.Phase.DONE)
    assert name in done.note
    assert await copies.live(filled.pool, name) == before


async def test_a_family_that_is_refused_is_not_verified_by_and_by(
    filled: Listener, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rolling verification goes on without it."""
    refusing.refusal = lambda request: 403 if request.url.path.endswith("/groups") else 0
    await again(filled)
    async with copies.following(filled):
        monkeypatch.setattr("user_management.listener.suspects.HOLD_BACK", 0.0)
        await rolling.turn(replace(filled, pace=replace(filled.pace, verify_days=1.0)))
    [run] = await filled.pool.fetch("SELECT resources FROM verifications")
    assert {"groups", "sessions"}.isdisjoint(run["resources"])
    assert "users" in run["resources"]


async def test_a_list_that_is_missing_is_not_an_empty_one(filled: Listener, refusing: Refusing) -> None:
    """WorkOS answers 404 where a feature is off: a verification does not take what was in the list to be too much."""
    refusing.refusal = lambda request: 404 if request.url.path.endswith("/groups") else 0
    async with copies.following(filled):
        run = await compared(filled, {"groups"})
    assert (run.left_out, run.steps) == (("groups",), 0)
    assert await filled.pool.fetch("SELECT object_id FROM findings") == []


async def compared(listener: Listener, names: set[str]) -> Verification:
    """A whole round of the rolling verification over some resources."""
    resources = [one for one in listener.resources if one.name in names]
    run = await verify.begin(listener.pool, resources, kind=ROLLING, share=1.0)
    while run.finished_at is None:
        run = await verify.advance(listener.pool, listener.workos, resources, run, pages=2, hold_back=0.0)
    return run


@pytest.mark.parametrize("status", [403, 404])
async def test_a_family_that_workos_stops_showing_keeps_no_other_from_being_verified(
    filled: Listener, refusing: Refusing, status: int
) -> None:
    """All others are compared, and it is asked for once in a round."""
    asked: list[str] = []
    refusing.refusal = lambda request: refused(request, status, "/authorization/permissions", asked)
    names = {one.name for one in filled.resources if one.listing.wanted}
    async with copies.following(filled):
        run = await compared(filled, names)
    pages = await filled.pool.fetch("SELECT DISTINCT resource FROM verified")
    assert (run.left_out, {page["resource"] for page in pages}) == (("permissions",), names - {"permissions"})
    assert len(asked) == 1


async def test_a_family_that_workos_lists_only_in_part_is_no_wait_without_end(
    filled: Listener, local: LocalWorkOS, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every place that is tried is refused, it is not the object there that is gone."""
    monkeypatch.setattr(objects, "LIMIT", suspects.STONES)
    for number in range(suspects.STONES + 1):
        await local.call("POST", "/user_management/invitations", {"email": f"{number}@example.com"})
    await copies.drain(filled)
    refusing.refusal = lambda request: 400 if request.url.path.endswith("s") and "after" in request.url.params else 0
    async with copies.following(filled):
        run = await compared(filled, {"invitations"})
    assert (run.left_out, run.steps) == (("invitations",), 1)


async def test_what_nothing_goes_without_is_not_left_out_of_a_verification(
    filled: Listener, refusing: Refusing
) -> None:
    """Without its users a copy is proven of nothing: that is an error."""
    refusing.refusal = lambda request: 403 if request.url.path == "/user_management/users" else 0
    async with copies.following(filled):
        with pytest.raises(NotAllowed):
            await compared(filled, {"users"})


async def test_a_family_that_cannot_be_compared_grows_older(
    filled: Listener, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last comparison is kept and still counts, for the alarm too; rounds without it do not pile up."""
    monkeypatch.setattr(watch, "seen", watch.Seen())
    async with copies.following(filled), filled.pool.acquire() as connection:
        await compared(filled, {"permissions", "roles"})
        before = await verifications.oldest_of_all(connection)
        refusing.refusal = lambda request: 403 if request.url.path == "/authorization/permissions" else 0
        for _ in range(3):
            await compared(filled, {"permissions", "roles"})
        await watch.look(connection, 30.0)
    now = watch.seen.verified
    assert (now["permissions"], now["roles"] > before["roles"]) == (before["permissions"], True)
    assert await filled.pool.fetchval("SELECT count(*) FROM verifications") == 2


async def test_a_suspect_that_workos_does_not_show_is_not_judged(filled: Listener, refusing: Refusing) -> None:
    """It is listed and may not be asked for: whether it is otherwise, or moved, nobody knows."""
    await filled.pool.execute('UPDATE permissions SET body = (body::jsonb || \'{"name": "X"}\')::json')
    refusing.refusal = lambda request: 403 if "/authorization/permissions/" in request.url.path else 0
    async with copies.following(filled):
        run = await compared(filled, {"permissions"})
    page = await filled.pool.fetchval("SELECT counts::text FROM verified WHERE verification_id = $1", run.id)
    assert "in flight" in page
    assert await filled.pool.fetch("SELECT object_id FROM findings") == []


def refused(request: httpx.Request, status: int, path: str, asked: list[str]) -> int:
    """The refusal of a list; notes that it was asked for."""
    if request.url.path != path:
        return 0
    asked.append(path)
    return status


async def test_who_is_in_a_list_that_is_missing_cannot_be_asked_for(filled: Listener, refusing: Refusing) -> None:
    """WorkOS has the group and not the list of its members: that says of none of them that they are gone."""
    [members] = [one for one in filled.resources if one.name == "group_memberships"]
    key = await filled.pool.fetchval("SELECT min(id) FROM group_memberships")
    refusing.refusal = lambda request: 404 if request.url.path.endswith("/organization-memberships") else 0
    with pytest.raises(listings.Unaskable):
        await listings.get(filled.pool, filled.workos, members, key)


async def test_what_nothing_goes_without_stops_everything(filled: Listener, refusing: Refusing) -> None:
    """A key that may not list users is no key to copy with."""
    refusing.refusal = lambda request: 403 if request.url.path == "/user_management/users" else 0
    with pytest.raises((NotAllowed, Refused)):
        await again(filled)


async def test_an_object_that_may_not_be_shown_holds_nothing_up(
    filled: Listener, refusing: Refusing, local: LocalWorkOS
) -> None:
    """It was not listed, and whether it is gone is not said: it stays."""
    key = next(iter(await local.objects("connections")))
    await local.call("DELETE", f"/connections/{key}")
    await lose_events(filled, local)
    refusing.refusal = lambda request: 403 if request.url.path == f"/connections/{key}" else 0
    assert (await again(filled)).phase is backfills.Phase.DONE
    assert key in await copies.live(filled.pool, "connections")


async def test_sessions_are_listed_where_they_are_wanted(listener: Listener, local: LocalWorkOS) -> None:
    """A request for each user, for those that are active; one that is not in WorkOS's list is not taken to be gone."""
    user = await local.user(password="correct-horse-battery")
    await local.sign_in(user["email"], "correct-horse-battery")
    [told] = await local.objects("sessions")
    await copies.begin(listener)
    await lose_events(listener, local)
    await copies.fill(listener)
    assert await copies.live(listener.pool, "sessions") == {}
    await again(listener, "sessions")
    assert list(await copies.live(listener.pool, "sessions")) == [told]
    await local.call("POST", "/user_management/sessions/revoke", {"session_id": told})
    await lose_events(listener, local)
    await again(listener, "sessions")
    assert list(await copies.live(listener.pool, "sessions")) == [told]


async def test_events_without_state_are_in_the_journal(filled: Listener, local: LocalWorkOS) -> None:
    """They change nothing and are kept, as whatever else is subscribed to."""
    filled.types = subscription.types(filled.resources, [])
    user = await local.user(password="correct-horse-battery")
    await local.sign_in(user["email"], "correct-horse-battery")
    await copies.drain(filled)
    kept = await filled.pool.fetchval("SELECT count(*) FROM journal WHERE type = 'authentication.password_succeeded'")
    assert kept == 1


def test_types_that_nobody_has_decided_about_are_reported() -> None:
    """What the installed SDK knows beyond what is followed or known to be elsewhere; today that is nothing."""
    followed = set(subscription.types(catalog.resources(), []))
    assert event_types.new(followed) == []
    assert event_types.new(followed - {"user.created"}) == ["user.created"]


async def test_two_families_at_once(filled: Listener, local: LocalWorkOS) -> None:
    """Backfill and tail beside each other, while everything goes on."""
    async with copies.following(filled):
        async with transaction(filled.pool) as connection:
            await backfills.request(connection, filled.resources[0].name)
        run = asyncio.create_task(backfill.run(filled.pool, filled.workos, filled.resources, max_deletions=100))
        for _ in range(10):
            await local.activity(20)
            await asyncio.sleep(0)
        await run
    await copies.drain(filled)
    await read_all(filled)
    await copies.assert_equal_to_source(filled.pool, local)
    await copies.assert_equal_to_journal(filled.pool)


async def test_a_webhook_about_what_may_not_be_read_is_given_up(filled: Listener, refusing: Refusing) -> None:
    """Nothing is made of it, and those behind it do not wait."""
    key, before = next(iter((await copies.live(filled.pool, "connections")).items()))
    at = "2099-01-01T00:00:00.000Z"
    forged = {**before, "name": "Forged", "updated_at": at}
    await announce(filled.pool, {"id": "event_x", "event": "connection.activated", "created_at": at, "data": forged})
    refusing.refusal = lambda request: 403 if request.url.path == f"/connections/{key}" else 0
    assert await overdue(filled) == 1
    assert (await copies.live(filled.pool, "connections"))[key] == before
