"""Erasing a person: gone from a dump, for good, and the rest of the copy is as it was."""

from dataclasses import replace
from typing import Any

import pytest

from user_management.db import schema
from user_management.db.session import Pool, transaction
from user_management.journal import entries, verifications, writes
from user_management.journal.verifications import ASKED, ROLLING, Finding, Key
from user_management.journal.writes import Reply, Request
from user_management.listener import backfills, suspects, verify
from user_management.listener.suspects import Segment
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, erase, rebuild
from user_management.mirror.engine.erase import NobodyThere, Traces
from user_management.mirror.engine.record import record
from user_management.mirror.users import resource as users
from user_management.services.workos import objects
from user_management.tests.support import copies
from user_management.tests.support.histories import START
from user_management.tests.support.local_workos import LocalWorkOS


@pytest.fixture
async def ada(listener: Listener, local: LocalWorkOS) -> dict[str, Any]:
    """Ada, who is a member of an organization, changed her address, has signed in, and lives among others."""
    await local.activity(60)
    user = await local.user("ada@example.com", first_name="Ada", last_name="Lovelace", password="correct horse")
    await local.membership(user, await local.organization())
    await copies.begin(listener)
    await copies.fill(listener)
    await local.sign_in("ada@example.com", "correct horse")
    await local.call("PUT", f"/user_management/users/{user['id']}", {"email": "countess@example.com"})
    await copies.drain(listener)
    return user


async def erased(pool: Pool, user: dict[str, Any]) -> Traces:
    """Erase a user."""
    async with pool.acquire() as connection:
        found = await erase.trace(connection, catalog.resources(), users, user["id"])
    async with transaction(pool) as connection:
        await erase.erase(connection, catalog.resources(), found)
    return found


async def dump(pool: Pool) -> str:
    """Every row of every table as text, as a dump holds it."""
    tables = [table.name for table in schema.declared().sorted_tables]
    return "\n".join([str(await pool.fetchval(f"SELECT string_agg(t::text, '\n') FROM {name} t")) for name in tables])


def names(dumped: str, user: dict[str, Any]) -> list[str]:
    """What of a person a dump holds."""
    words = (user["id"], "ada@example.com", "countess@example.com", "Lovelace")
    return [word for word in words if word.lower() in dumped.lower()]


async def test_a_dump_grepped_for_the_person_finds_nothing(pool: Pool, ada: dict[str, Any]) -> None:
    """Neither the id nor any address they ever had, nor their name; before, all of it was there."""
    assert len(names(await dump(pool), ada)) == 4
    found = await erased(pool, ada)
    assert names(await dump(pool), ada) == []
    async with pool.acquire() as connection:
        assert await erase.remains(connection, found) == {}


async def test_the_copy_is_still_what_its_journal_says(pool: Pool, ada: dict[str, Any]) -> None:
    """A stub folds into nothing, on both sides alike; nobody else changed."""
    before = await copies.live(pool, "users")
    await erased(pool, ada)
    before.pop(ada["id"])
    assert await copies.live(pool, "users") == before
    await copies.assert_equal_to_journal(pool)


async def test_a_rebuild_that_had_read_of_them_brings_nobody_back(pool: Pool, ada: dict[str, Any]) -> None:
    """However often an erasure falls between the fold and the swap: it folds anew, though not for ever."""
    async for step in rebuild.rebuild(pool, catalog.resources()):
        if isinstance(step, rebuild.Progress) and step.position == step.head:
            await erased(pool, ada)
    assert ada["id"] not in await copies.live(pool, "users")
    assert names(await dump(pool), ada) == []


async def test_who_is_rebuilt_between_search_and_erasure_goes_too(pool: Pool, ada: dict[str, Any]) -> None:
    """Tables that were put in the place of those that were searched are searched again."""
    await pool.execute("DELETE FROM sessions")
    async with pool.acquire() as connection:
        found = await erase.trace(connection, catalog.resources(), users, ada["id"])
    async for _ in rebuild.rebuild(pool, catalog.resources()):
        pass
    async with transaction(pool) as connection:
        await erase.erase(connection, catalog.resources(), found)
    async with pool.acquire() as connection:
        assert await erase.remains(connection, found) == {}


async def test_neither_replay_nor_listing_nor_events_bring_them_back(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Though WorkOS still has them, changes them and lists them."""
    replayed = entries.of_event(
        {"object": "event", "id": "event_again", "event": "user.updated", "created_at": ada["created_at"], "data": ada},
        received_at=START,
    )
    await erased(pool, ada)
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), [replayed])
        await backfills.request(connection, catalog.resources()[0].name)
    await local.call("PUT", f"/user_management/users/{ada['id']}", {"first_name": "Augusta"})
    await copies.drain(listener)
    await copies.fill(listener)
    assert names(await dump(pool), ada) == []
    await copies.assert_equal_to_journal(pool)


async def test_an_address_that_was_freed_stays_with_who_has_it_now(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Another person with an old address of theirs is not touched."""
    other = await local.user("ada@example.com", first_name="Another")
    await copies.drain(listener)
    await erased(pool, ada)
    assert (await copies.live(pool, "users"))[other["id"]]["email"] == "ada@example.com"
    assert ada["id"] not in await dump(pool)
    await copies.assert_equal_to_journal(pool)


async def test_who_is_mentioned_elsewhere_is_blotted_out(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """An organization that names an address keeps everything else."""
    there = await local.organization("Engines")
    await local.call("PUT", f"/organizations/{there['id']}", {"metadata": {"owner": "ada@example.com", "tier": "gold"}})
    await copies.drain(listener)
    await erased(pool, ada)
    kept = (await copies.live(pool, "organizations"))[there["id"]]["metadata"]
    assert kept == {"owner": "[erased]", "tier": "gold"}
    await copies.assert_equal_to_journal(pool)


async def test_erasing_twice_cleans_what_came_back(pool: Pool, ada: dict[str, Any]) -> None:
    """Whoever was erased is known by their id, and can be erased again."""
    await erased(pool, ada)
    await pool.execute("INSERT INTO backfill_seen VALUES (1, 'users', $1)", ada["id"])
    await pool.execute("INSERT INTO soft_deletions (user_id, owner, leased_until) VALUES ($1, '', now())", ada["id"])
    await erased(pool, ada)
    assert names(await dump(pool), ada) == []


@pytest.mark.parametrize("text", ["", "o", "user_", "org_1", "user_nobody", "ada@example.com", "user_\x00"])
async def test_what_is_nobody_is_not_erased(pool: Pool, ada: dict[str, Any], text: str) -> None:
    """A piece of an id, another kind of id or an empty variable destroys nothing."""
    before = await dump(pool)
    async with pool.acquire() as connection:
        with pytest.raises(NobodyThere):
            await erase.trace(connection, catalog.resources(), users, text)
    assert await dump(pool) == before


async def test_whose_name_contains_theirs_is_not_touched(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """`xada@example.com` and `ada@example.com.au` are other people."""
    others = [await local.user(email) for email in ("xada@example.com", "ada@example.com.au", "x.ada@example.com")]
    await copies.drain(listener)
    await erased(pool, ada)
    copy = await copies.live(pool, "users")
    assert [copy[one["id"]]["email"] for one in others] == [one["email"] for one in others]
    await copies.assert_equal_to_journal(pool)


async def test_what_others_events_say_of_them_later_is_blotted_out(pool: Pool, ada: dict[str, Any]) -> None:
    """As the actor of something, in somebody's metadata, even as a key."""
    await erased(pool, ada)
    body = {
        "object": "event", "id": "event_late", "event": "organization.created", "created_at": ada["created_at"],
        "context": {"actor": {"id": ada["id"], "name": "Ada Lovelace", "source": "dashboard"}},
        "data": {"object": "organization", "id": "org_late", "name": "Engines", "domains": [], "external_id": None,
                 "metadata": {"owner": "write to countess@example.com.", "ADA@example.com": "first"},
                 "created_at": ada["created_at"], "updated_at": ada["created_at"]},
    }  # fmt: skip
    async with transaction(pool) as connection:
        await record(connection, catalog.resources(), [entries.of_event(body, received_at=START)])
    kept = (await copies.live(pool, "organizations"))["org_late"]["metadata"]
    assert kept == {"owner": "write to [erased].", "[erased]": "first"}
    assert names(await dump(pool), ada) == []
    await copies.assert_equal_to_journal(pool)


async def test_an_odd_character_of_somebody_elses_is_in_nobodys_way(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """PostgreSQL cannot read a NUL out of JSON; it need not be asked to."""
    await local.user("odd@example.com", first_name="a\x00b")
    await local.call("PUT", f"/user_management/users/{ada['id']}", {"first_name": "A\x00"})
    await copies.drain(listener)
    await erased(pool, ada)
    assert names(await dump(pool), ada) == []


async def test_a_verification_misses_nobody_who_was_erased(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Neither them nor their memberships, though WorkOS has both; and it writes down nothing of them."""
    there = await local.organization("Engines")
    await local.call("PUT", f"/organizations/{there['id']}", {"metadata": {"owner": "countess@example.com"}})
    await copies.drain(listener)
    await erased(pool, ada)
    async with copies.following(listener):
        run = await verify.begin(pool, catalog.resources(), kind=ASKED, share=1.0)
        while run.finished_at is None:
            run = await verify.advance(pool, listener.workos, catalog.resources(), run, pages=2, hold_back=0.0)
    async with pool.acquire() as connection:
        found = await verifications.findings(connection, run)
    assert {one.standing for one in found} <= {"volatile"}
    assert names(await dump(pool), ada) == []


async def test_a_verification_that_had_looked_writes_nobody_back(
    pool: Pool, listener: Listener, ada: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that names who was erased since is not kept, nor is a finding: the page is looked at again."""
    monkeypatch.setattr(objects, "LIMIT", 1)
    run = await verify.begin(pool, [users], kind=ROLLING, share=1.0)
    looked = await suspects.look(pool, listener.workos, Segment(users, "", Key()))
    [(page, _)] = await suspects.settle(pool, listener.workos, [looked], hold_back=0.0)
    assert page.end
    found = await erased(pool, {"id": page.end.id})
    assert await verify.keep(pool, [users], run, [(page, [])]) == run
    told = Finding("users", page.end.id, "missing")
    await verify.keep(pool, [users], run, [(replace(page, end=None, counts={"missing": 1}), [told])])
    assert await pool.fetchval("SELECT counts::text FROM verified") == '{"erased":1}'
    async with pool.acquire() as connection:
        assert await erase.remains(connection, found) == {}


async def test_a_verification_stands_on_nobody_who_was_erased(
    pool: Pool, listener: Listener, ada: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that show nobody else, be they the first, those between or the last, are passed by."""
    monkeypatch.setattr(objects, "LIMIT", 1)
    everybody = await pool.fetch("SELECT id FROM users WHERE deleted_at IS NULL ORDER BY created_at, id")
    gone = [row["id"] for number, row in enumerate(everybody) if number % 4 in {0, 1} or row == everybody[-1]]
    for one in gone:
        await erased(pool, {"id": one})
    run = await verify.begin(pool, [users], kind=ROLLING, share=1.0)
    while run.finished_at is None:
        run = await verify.advance(pool, listener.workos, [users], run, pages=3, hold_back=0.0)
    dumped = await dump(pool)
    assert [one for one in gone if one in dumped] == []
    assert await pool.fetchval("SELECT sum((counts->>'erased')::int) FROM verified") == len(gone)


async def test_whatever_is_a_persons_goes_with_them(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Sessions, invitations to their address, API keys, and who has their address in a directory."""
    there = (await local.organization("Engines"))["id"]
    await local.membership(ada, {"id": there})
    key = {"name": "Hers", "organization_id": there}
    await local.call("POST", f"/user_management/users/{ada['id']}/api_keys", key)
    await local.call("POST", "/user_management/invitations", {"email": "ada@example.com", "organization_id": there})
    directory = await local.call("POST", "/_sandbox/directories", {"organization_id": there})
    path = f"/_sandbox/directories/{directory['id']}"
    person = {"idp_id": "1", "email": "Countess@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    pushed = await local.call("PUT", f"{path}/users", person)
    group = await local.call("PUT", f"{path}/groups", {"idp_id": "2", "name": "Poets"})
    await local.call("PUT", f"/_sandbox/directory_groups/{group['id']}/users/{pushed['id']}")
    await copies.drain(listener)
    before = {one.name: len(await copies.live(pool, one.name)) for one in catalog.resources()}
    await erased(pool, ada)
    gone = {one.name: before[one.name] - len(await copies.live(pool, one.name)) for one in catalog.resources()}
    assert gone["sessions"] >= 1
    assert (gone["invitations"], gone["api_keys"], gone["directory_users"]) == (1, 1, 1)
    assert names(await dump(pool), ada) == []
    await copies.assert_equal_to_journal(pool)


async def test_no_answer_and_no_reserved_name_stays(
    pool: Pool, listener: Listener, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Whom a sealed answer is about nobody can see: each is forgotten, but not that it was asked for."""
    await local.call("PUT", f"/user_management/users/{ada['id']}", {"metadata": {"username": "Countess"}})
    await copies.drain(listener)
    await pool.execute("INSERT INTO usernames VALUES ('countess', 'a', now()), ('byron', 'b', now())")
    for key, body in (("sealed", "sealed:AAAA"), ("open", "{}")):
        request = Request(key, "POST /api/auth/login", "")
        async with transaction(pool) as connection:
            turn = await writes.claim(connection, request, seconds=0)
            assert turn
            await writes.finish(connection, turn, Reply(200, {}, body))
    await erased(pool, ada)
    assert await pool.fetchval("SELECT array_agg(name) FROM usernames") == ["byron"]
    kept = {row["key"]: (row["state"], row["body"]) for row in await pool.fetch("SELECT key, state, body FROM writes")}
    assert kept == {"sealed": ("unknown", None), "open": ("done", "{}")}
