"""Retrying a parked entry: the same guards as the first time."""

import pytest

from user_management.db.session import Connection
from user_management.journal import failures
from user_management.journal.failures import Failure, NoSuchFailure
from user_management.mirror.engine import catalog, store
from user_management.mirror.engine.record import record
from user_management.mirror.engine.retry import retry
from user_management.tests.cli.told import event
from user_management.tests.support.histories import user


async def parked_then(connection: Connection, *later: int) -> None:
    """A user's first event, parked as if it had failed, and what was told of the user afterwards."""
    resources = catalog.resources()
    await record(connection, resources, [event("user.updated", user(tick=5, first_name="First"), name="event_1")])
    await connection.execute("DELETE FROM users")
    await failures.park(connection, [Failure(1, "users", "made up")])
    for tick in later:
        data = user(tick=tick, first_name="Later")
        await record(connection, resources, [event("user.updated", data, name=f"event_later_{tick}")])


async def test_a_retry_applies_what_was_missed(connection: Connection) -> None:
    """Once its cause is gone the entry is applied, and is parked no more."""
    await parked_then(connection)
    assert await retry(connection, 1) == []
    assert (await store.rows(connection, "users", ["user_1"]))["user_1"].body["first_name"] == "First"
    assert await failures.count(connection) == 0


@pytest.mark.parametrize("tick", [5, 9])
async def test_a_retry_never_overwrites_newer_state(connection: Connection, tick: int) -> None:
    """An old event neither beats a newer one, nor a later one of the same instant."""
    await parked_then(connection, tick)
    assert await retry(connection, 1) == []
    assert (await store.rows(connection, "users", ["user_1"]))["user_1"].body["first_name"] == "Later"


async def test_a_retry_of_what_is_not_followed_says_so(connection: Connection) -> None:
    """A resource that no longer follows the event is no reason to forget the entry silently."""
    await parked_then(connection)
    await failures.park(connection, [Failure(1, "organizations", "made up")])
    assert [failure.resource for failure in await retry(connection, 1)] == ["organizations"]
    assert await failures.count(connection) == 1


async def test_only_parked_entries_can_be_retried(connection: Connection) -> None:
    """There is nothing to retry where nothing failed."""
    with pytest.raises(NoSuchFailure, match="No entry is parked at position 7"):
        await retry(connection, 7)
