"""Soft deletions: what is noted before it is done, and who may go on with it."""

import pytest

from user_management.db.session import Connection
from user_management.journal import soft_deletions
from user_management.journal.soft_deletions import Busy

USER = "user_1"


async def expire(connection: Connection) -> None:
    """Let whoever holds a user have died."""
    await connection.execute("UPDATE soft_deletions SET leased_until = now()")


async def test_one_after_the_other(connection: Connection) -> None:
    """While one works on a user nobody else does; then the next one may."""
    held = await soft_deletions.hold(connection, USER, seconds=30)
    with pytest.raises(Busy):
        await soft_deletions.hold(connection, USER, seconds=30)
    await soft_deletions.let_go(connection, held)
    assert (await soft_deletions.hold(connection, USER, seconds=30)).owner != held.owner


async def test_whoever_goes_on_knows_what_was_begun(connection: Connection) -> None:
    """Memberships are noted once each, whoever noted them."""
    first = await soft_deletions.hold(connection, USER, seconds=30)
    await soft_deletions.remember(connection, first, ["om_2", "om_1"], seconds=30)
    await expire(connection)
    second = await soft_deletions.hold(connection, USER, seconds=30)
    await soft_deletions.remember(connection, second, ["om_2", "om_3"], seconds=30)
    await soft_deletions.let_go(connection, second)
    assert (await soft_deletions.hold(connection, USER, seconds=30)).memberships == ("om_1", "om_2", "om_3")


async def test_who_lost_a_user_stops(connection: Connection) -> None:
    """Whoever was taken for dead must not undo what the next one does."""
    lost = await soft_deletions.hold(connection, USER, seconds=30)
    await expire(connection)
    await soft_deletions.hold(connection, USER, seconds=30)
    with pytest.raises(Busy):
        await soft_deletions.remember(connection, lost, ["om_1"], seconds=30)
    with pytest.raises(Busy):
        await soft_deletions.forget_membership(connection, lost, "om_1", seconds=30)
    await soft_deletions.forget(connection, lost)
    assert await connection.fetchval("SELECT count(*) FROM soft_deletions") == 1


async def test_what_came_back_is_not_brought_back_again(connection: Connection) -> None:
    """A restore that died half-way goes on with the rest."""
    held = await soft_deletions.hold(connection, USER, seconds=30)
    await soft_deletions.remember(connection, held, ["om_1", "om_2"], seconds=30)
    await soft_deletions.forget_membership(connection, held, "om_1", seconds=30)
    await expire(connection)
    again = await soft_deletions.hold(connection, USER, seconds=30)
    assert again.memberships == ("om_2",)
    await soft_deletions.forget(connection, again)
    assert (await soft_deletions.hold(connection, USER, seconds=30)).memberships == ()
