"""Usernames: one name, one user, whoever asks at once and whatever becomes of the writes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import usernames
from user_management.journal.usernames import Taken
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.mirror.users import resource as users
from user_management.tests.support.samples import entry


async def reserve(pool: Pool, name: str, claim: str, user_id: str | None = None) -> bool:
    """Whether a name could be reserved."""
    async with pool.acquire() as connection:
        try:
            await usernames.reserve(connection, name, claim, user_id=user_id, seconds=30)
        except Taken:
            return False
        return True


async def release(pool: Pool, name: str, claim: str, *, given: bool = False) -> None:
    """End a reservation."""
    async with pool.acquire() as connection:
        await usernames.release(connection, name, claim, given=given)


async def told(pool: Pool, what: str = "created", minutes: int = 0, **metadata: str) -> None:
    """Let the copy learn of a user with this metadata."""
    async with transaction(pool) as connection:
        await record(
            connection, catalog.resources(), [entry(users, what, minutes=minutes, id="ada", metadata=metadata)]
        )


async def reserved(pool: Pool) -> list[Any]:
    """The names that are reserved."""
    return [row["name"] for row in await pool.fetch("SELECT name FROM usernames ORDER BY name")]


async def drained(pool: Pool, minutes: float) -> None:
    """Let the feed have been read to its end so many minutes from now."""
    await pool.execute("UPDATE cursor SET drained_at = $1", datetime.now(UTC) + timedelta(minutes=minutes))


async def test_of_many_who_ask_at_once_one_gets_it(pool: Pool) -> None:
    """Upper or lower case is one name; the others are told so at once."""
    names = ("Ada", "ada", "ADA", "aDa")
    got = await asyncio.gather(*(reserve(pool, names[n % 4], f"claim-{n}") for n in range(20)))
    assert sum(got) == 1
    assert await reserved(pool) == ["ada"]


async def test_what_was_not_done_frees_the_name(pool: Pool) -> None:
    """Whoever comes next gets it; nobody ends somebody else's reservation."""
    assert await reserve(pool, "ada", "one")
    await release(pool, "ada", "two")
    assert not await reserve(pool, "ada", "two")
    await release(pool, "ada", "one")
    assert await reserve(pool, "ada", "two")


async def test_whoever_comes_again_has_it_already(pool: Pool) -> None:
    """A repeat under the same key is not refused for what its first attempt made."""
    assert await reserve(pool, "ada", "one")
    await told(pool, username="Ada")
    assert await reserve(pool, "ada", "one")
    assert not await reserve(pool, "ada", "two")


@pytest.mark.parametrize("name", ["ada", "ADA", "Ada"])
async def test_a_name_set_at_workos_is_taken(pool: Pool, name: str) -> None:
    """By a user of the copy, however that came about; but not to this user."""
    await told(pool, tier='a "username":"bob"', username="aDa")
    assert not await reserve(pool, name, "one")
    assert await reserve(pool, name, "two", "ada")
    assert await reserve(pool, "bob", "three")


async def test_the_end_of_a_user_frees_the_name(pool: Pool) -> None:
    """Of a deleted user only the last words are kept."""
    await told(pool, username="ada")
    await told(pool, "deleted", 1, username="ada")
    assert await reserve(pool, "ada", "one")


async def test_a_name_that_was_given_is_held_by_the_copy(pool: Pool) -> None:
    """The reservation ends once the copy has noted it, and not before."""
    assert await reserve(pool, "ada", "one")
    await release(pool, "ada", "one", given=True)
    assert await reserved(pool) == ["ada"]
    await told(pool, username="ada")
    await release(pool, "ada", "one", given=True)
    assert await reserved(pool) == []
    assert not await reserve(pool, "ada", "two")


@pytest.mark.parametrize(("minutes", "free"), [(-1.0, False), (1.0, False), (2.0, True)])
async def test_a_name_in_doubt_is_settled_by_the_feed(pool: Pool, minutes: float, free: bool) -> None:
    """Nobody gets it until the feed was read to an end that lies a minute behind the end of the lease."""
    assert await reserve(pool, "ada", "one")
    await drained(pool, minutes)
    assert await reserve(pool, "ada", "two") is free


async def test_a_doubt_that_the_copy_confirms_stays_refused(pool: Pool) -> None:
    """The write was done after all: its name is taken, and its own repeat still finds the reservation."""
    assert await reserve(pool, "ada", "one")
    await told(pool, username="ada")
    await drained(pool, 2)
    assert not await reserve(pool, "ada", "two")
    assert await reserve(pool, "ada", "one")


async def test_what_is_long_settled_is_cleared_away(pool: Pool) -> None:
    """In passing; what nobody has settled stays."""
    await reserve(pool, "ada", "one")
    await pool.execute("UPDATE usernames SET leased_until = now() - interval '25 hours'")
    await reserve(pool, "bob", "two")
    assert await reserved(pool) == ["ada", "bob"]
    await drained(pool, 0)
    await reserve(pool, "eve", "three")
    assert await reserved(pool) == ["bob", "eve"]


async def test_an_odd_user_is_kept_all_the_same(pool: Pool) -> None:
    """What PostgreSQL cannot read as text of JSON has no username, or the one that can be read."""
    await told(pool, first="a\x00b", username="ada")
    assert await pool.fetchval("SELECT username FROM users") == "ada"


async def test_a_username_costs_no_index_entry_of_an_update(pool: Pool) -> None:
    """PostgreSQL keeps the new version of a row on its page while the username stays."""
    await told(pool, username="ada")
    await pool.execute("UPDATE users SET body = replace(body::text, 'example', 'sample')::json")
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        row = await connection.fetchrow(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'users'"
        )
    assert row is not None
    assert tuple(row) == (1, 1)
