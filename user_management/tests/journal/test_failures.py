"""Failures: what could not be applied is set aside, seen, counted, and closed by somebody."""

from datetime import UTC, datetime

import pytest

from user_management.db.session import Connection
from user_management.journal import entries, failures
from user_management.journal.failures import Failure, Parked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS = [{"id": f"event_{n}", "event": "user.created", "data": {"id": f"user_{n}"}} for n in (1, 2, 3)]


@pytest.fixture
async def journal(connection: Connection) -> Connection:
    """A journal of three events."""
    found = [entries.of_event(event, received_at=NOW) for event in EVENTS]
    await entries.append(connection, entries.number(found, after=0))
    return connection


async def seen(connection: Connection, position: int | None = None) -> list[tuple[int, str, str, int]]:
    """What an operator sees, without times and names."""
    return [
        (one.position, one.resource, one.error, one.attempts) for one in await failures.parked(connection, position)
    ]


async def test_nothing_is_parked(journal: Connection) -> None:
    """A journal that was applied has nothing to show, and parking nothing changes nothing."""
    await failures.park(journal, [])
    assert await failures.parked(journal) == []
    assert await failures.parked(journal, 1) == []
    assert await failures.count(journal) == 0


async def test_a_parked_entry_is_shown_with_its_event(journal: Connection) -> None:
    """An operator reads what failed, why, since when, and which event and object it was about."""
    await failures.park(journal, [Failure(2, "users", "no created_at")])
    now = await journal.fetchval("SELECT now()")
    assert await failures.parked(journal) == [
        Parked(2, "users", "no created_at", 1, now, "user.created", "event_2", "user_2")
    ]


async def test_parked_entries_come_oldest_first(journal: Connection) -> None:
    """One entry may have failed for several resources; each is shown, and one position can be asked for."""
    parked = [Failure(3, "users", "c"), Failure(1, "users", "b"), Failure(1, "organizations", "a")]
    await failures.park(journal, parked)
    assert await seen(journal) == [(1, "organizations", "a", 1), (1, "users", "b", 1), (3, "users", "c", 1)]
    assert await seen(journal, 3) == [(3, "users", "c", 1)]
    assert await seen(journal, 2) == []
    assert await failures.count(journal) == 3


async def test_every_attempt_is_counted(journal: Connection) -> None:
    """Parking again keeps the newest error and how often it was tried."""
    for error in ("first", "second", "third"):
        await failures.park(journal, [Failure(1, "users", error)])
    assert await seen(journal) == [(1, "users", "third", 3)]
    assert await failures.count(journal) == 1


@pytest.mark.parametrize("resolution", ["retried", "skipped"])
async def test_a_resolved_failure_is_out_of_sight(journal: Connection, resolution: str) -> None:
    """What was closed is not shown any more, but how and when stays in the table; others stay open."""
    await failures.park(journal, [Failure(1, "users", "a"), Failure(1, "organizations", "b")])
    await failures.resolve(journal, 1, "users", resolution)
    assert await seen(journal) == [(1, "organizations", "b", 1)]
    assert await failures.count(journal) == 1
    row = await journal.fetchrow("SELECT resolution, resolved_at = now() AS now FROM failures WHERE resource = 'users'")
    assert row is not None
    assert tuple(row) == (resolution, True)


async def test_resolving_what_is_not_parked_changes_nothing(journal: Connection) -> None:
    """A position nobody parked is left alone."""
    await failures.park(journal, [Failure(1, "users", "a")])
    await failures.resolve(journal, 2, "users", "skipped")
    await failures.resolve(journal, 1, "roles", "skipped")
    assert await failures.count(journal) == 1


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("a\x00b", "a\\0b"),
        ("a\ud800b", "a\\ud800b"),
        ("é€😀", "é€😀"),
        ("", ""),
        ("x" * 100_000, "x" * 100_000),
    ],
    ids=ascii,
)
async def test_an_error_may_have_any_words(journal: Connection, error: str, shown: str) -> None:
    """An error quotes what was wrong; what PostgreSQL cannot hold is written as an escape."""
    await failures.park(journal, [Failure(1, "users", error)])
    assert await seen(journal) == [(1, "users", shown, 1)]


async def test_what_fails_again_after_it_was_closed_is_open_again(journal: Connection) -> None:
    """A failure that comes back is not hidden behind an old resolution."""
    await failures.park(journal, [Failure(1, "users", "a")])
    await failures.resolve(journal, 1, "users", "retried")
    await failures.park(journal, [Failure(1, "users", "b")])
    assert await seen(journal) == [(1, "users", "b", 2)]
    assert await journal.fetchval("SELECT resolution FROM failures") is None
