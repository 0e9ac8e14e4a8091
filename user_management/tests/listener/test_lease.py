"""The lease: one at a time, and never nobody for long."""

from user_management.db.session import Connection, Pool, transaction
from user_management.listener import lease


async def test_one_holds_it_and_renews_it(connection: Connection) -> None:
    """The second is told no, for as long as the first renews."""
    assert await lease.take(connection, "first", 60)
    assert not await lease.take(connection, "second", 60)
    assert await lease.take(connection, "first", 60)
    assert await lease.holder(connection) == "first"


async def test_it_runs_out(pool: Pool) -> None:
    """A holder that is heard of no more is succeeded, by the database's clock."""
    async with transaction(pool) as connection:
        await lease.take(connection, "dead", 0)
    async with transaction(pool) as connection:
        assert await lease.holder(connection) is None
        assert await lease.take(connection, "next", 60)
        assert not await lease.take(connection, "dead", 60)


async def test_a_lease_of_another_time_is_void(connection: Connection) -> None:
    """The database's clock was set back, and whoever held it is gone: nobody waits until it would have run out."""
    await lease.take(connection, "dead", 7200)
    assert not await lease.take(connection, "next", 1000)
    assert await lease.take(connection, "next", 6)


async def test_it_can_be_given_back(connection: Connection) -> None:
    """Who leaves in good order lets the next one in at once; nobody gives back what is another's."""
    await lease.take(connection, "first", 60)
    await lease.give_back(connection, "second")
    assert not await lease.take(connection, "second", 60)
    await lease.give_back(connection, "first")
    assert await lease.take(connection, "second", 60)
