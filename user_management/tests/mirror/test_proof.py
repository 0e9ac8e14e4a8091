"""The proof: one flipped byte in a table is found by its bucket's hash, and located."""

import pytest

from user_management.db.session import Pool
from user_management.journal import entries
from user_management.journal.entries import Lane
from user_management.mirror.engine import catalog, proof, rebuild
from user_management.mirror.engine.proof import Proof
from user_management.mirror.engine.record import record
from user_management.mirror.users import resource as users
from user_management.tests.support.histories import START, user


@pytest.fixture
async def copy(pool: Pool) -> Pool:
    """A copy of three hundred users."""
    told = [
        entries.of_object(user(f"user_{n:03}"), lane=Lane.LIST, type=users.listed, at=START) for n in range(300)
    ]  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        await record(connection, catalog.resources(), told)
    return pool


async def proven(pool: Pool) -> Proof:
    """What the hashes of the users come to."""
    steps = [step async for step in rebuild.folded(pool, [users], proof.prove, swap=False)]
    return next(step for step in steps if isinstance(step, Proof))


async def test_equal_tables_have_equal_hashes(copy: Pool) -> None:
    """Nothing differs, and every row was hashed."""
    found = await proven(copy)
    assert (found.rows, found.differing, found.wrong) == (300, (), 0)


async def test_a_flipped_byte_is_found_and_located(copy: Pool) -> None:
    """The bucket, the row, the key and the byte; and nothing of the content."""
    body = await copy.fetchval("SELECT body::text FROM users WHERE id = 'user_123'")
    at = body.index("user_123@") + 3
    flipped = body[:at] + "q" + body[at + 1 :]
    await copy.execute("UPDATE users SET body = $1::text::json WHERE id = 'user_123'", flipped)
    found = await proven(copy)
    assert (len(found.differing), found.wrong) == (1, 1)
    (spot,) = found.spots
    assert (spot.id, spot.where) == ("user_123", f"body (email) at byte {at}")


async def test_a_lost_row_an_added_row_and_a_changed_column(copy: Pool) -> None:
    """Each is told for what it is."""
    await copy.execute("DELETE FROM users WHERE id = 'user_001'")
    await copy.execute("UPDATE users SET id = 'user_new' WHERE id = 'user_002'")
    await copy.execute("UPDATE users SET email = 'other@example.com' WHERE id = 'user_003'")
    assert {spot.id: spot.where for spot in (await proven(copy)).spots} == {
        "user_001": "the live table has no such row",
        "user_002": "the live table has no such row",
        "user_new": "the journal knows no such row",
        "user_003": "email",
    }


async def test_a_changed_journal_is_found_as_well(copy: Pool) -> None:
    """The proof holds both ways: neither side is believed more."""
    await copy.execute("UPDATE journal SET body = replace(body::text, 'user_042@', 'user_0x2@')::json")
    (spot,) = (await proven(copy)).spots
    assert (spot.id, spot.where.split(" at ")[0]) == ("user_042", "email; body (email)")
