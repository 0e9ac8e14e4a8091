"""Erasing a person: gone from a dump, for good, and the rest of the copy is as it was."""

from typing import Any

import pytest

from user_management.db.base import Base
from user_management.db.session import Pool, transaction
from user_management.journal import entries
from user_management.listener import backfills
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, erase
from user_management.mirror.engine.erase import NobodyThere, Traces
from user_management.mirror.engine.record import record
from user_management.mirror.users import resource as users
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
    async with transaction(pool) as connection:
        return await erase.erase(connection, catalog.resources(), users, user["id"])


async def dump(pool: Pool) -> str:
    """Every row of every table as text, as a dump holds it."""
    tables = [table.name for table in Base.metadata.sorted_tables]
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


async def test_erasing_twice_and_erasing_nobody(pool: Pool, ada: dict[str, Any]) -> None:
    """There is no trace left to erase, and that is said."""
    await erased(pool, ada)
    with pytest.raises(NobodyThere):
        await erased(pool, ada)
