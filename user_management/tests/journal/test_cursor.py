"""The cursor: our place in the feed, moved only by who knows where it stood."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from user_management.db.session import Connection, Pool, transaction
from user_management.journal import cursor
from user_management.journal.cursor import Cursor, CursorMoved

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARGIN = timedelta(minutes=10)


async def test_a_fresh_cursor_knows_nothing(connection: Connection) -> None:
    """Before anything was read there is no place, no boundary and no age; asking again changes nothing."""
    assert await cursor.read(connection) == Cursor()
    await cursor.advance(connection, old=Cursor(), event_id="event_1", event_at=NOON)
    await cursor.ensure(connection)
    assert (await cursor.read(connection)).event_id == "event_1"


async def test_a_database_without_a_cursor(connection: Connection) -> None:
    """Where the row is missing, reading says that nothing was read, and moving is refused."""
    await connection.execute("DELETE FROM cursor")
    assert await cursor.read(connection) == Cursor()
    with pytest.raises(CursorMoved):
        await cursor.advance(connection, old=Cursor(), event_id="event_1", event_at=NOON)


async def test_the_cursor_follows_the_feed(connection: Connection) -> None:
    """From each event to the next, with its time, and nothing else changes."""
    await cursor.begin(connection, NOON)
    for number in range(1, 4):
        old = await cursor.read(connection)
        await cursor.advance(connection, old=old, event_id=f"event_{number}", event_at=NOON + number * HOUR)
        moved = replace(old, event_id=f"event_{number}", event_at=NOON + number * HOUR)
        assert await cursor.read(connection) == moved


@pytest.mark.parametrize("believed", [None, "event_0", "event_2", ""])
async def test_a_cursor_that_stands_elsewhere_is_not_moved(connection: Connection, believed: str | None) -> None:
    """Whoever fetched a page behind another event was overtaken, and changes nothing."""
    await cursor.advance(connection, old=Cursor(), event_id="event_1", event_at=NOON)
    with pytest.raises(CursorMoved, match=f"no longer at {believed}"):
        await cursor.advance(connection, old=Cursor(event_id=believed), event_id="event_3", event_at=NOON)
    assert (await cursor.read(connection)).event_id == "event_1"


async def test_of_two_listeners_one_moves(pool: Pool) -> None:
    """Two that fetched behind the same event: the one that commits second keeps nothing of its page."""
    async with pool.acquire() as connection:
        seen = await cursor.read(connection)
    async with transaction(pool) as connection:
        await cursor.advance(connection, old=seen, event_id="event_1", event_at=NOON)
    with pytest.raises(CursorMoved):
        await both(pool, seen)
    async with pool.acquire() as connection:
        assert (await cursor.read(connection)).drained_at is None


async def both(pool: Pool, seen: Cursor) -> None:
    """Drain and advance in one transaction."""
    async with transaction(pool) as connection:
        await cursor.drained(connection, NOON, behind="event_1")
        await cursor.advance(connection, old=seen, event_id="event_2", event_at=NOON)


async def test_there_is_one_cursor(connection: Connection) -> None:
    """A second row is refused by the table itself."""
    with pytest.raises(Exception, match="ck_cursor_only_one"):
        await connection.execute("INSERT INTO cursor (id) VALUES (2)")


@pytest.mark.parametrize(
    ("polls", "latest"),
    [([NOON], NOON), ([NOON, NOON + HOUR], NOON + HOUR), ([NOON + HOUR, NOON], NOON + HOUR), ([NOON, NOON], NOON)],
)
async def test_the_age_never_goes_back(connection: Connection, polls: list[datetime], latest: datetime) -> None:
    """A poll that was begun earlier and ends later does not make the copy older."""
    for at in polls:
        await cursor.drained(connection, at, behind=None)
    assert (await cursor.read(connection)).drained_at == latest


async def test_the_end_behind_another_place_is_none(connection: Connection) -> None:
    """An empty page that was asked for behind an event which a failover lost says nothing of what is behind ours."""
    with pytest.raises(CursorMoved):
        await cursor.drained(connection, NOON, behind="event_lost")
    assert (await cursor.read(connection)).drained_at is None


async def test_the_boundary_is_set_once(connection: Connection) -> None:
    """A start after the first one goes on from where the first one began."""
    await cursor.begin(connection, NOON)
    await cursor.begin(connection, NOON + HOUR)
    await cursor.begin(connection, NOON - HOUR)
    assert (await cursor.read(connection)).boundary == NOON


async def test_a_cursor_with_an_event_needs_no_boundary(connection: Connection) -> None:
    """Whoever has a place in the feed does not begin again."""
    await cursor.advance(connection, old=Cursor(), event_id="event_1", event_at=NOON)
    await cursor.begin(connection, NOON)
    assert (await cursor.read(connection)).boundary is None


@pytest.mark.parametrize(
    ("boundary", "drained", "since"),
    [
        (None, None, None),
        (None, NOON, None),
        (NOON, None, NOON),
        (NOON, NOON, NOON),
        (NOON, NOON + MARGIN, NOON),
        (NOON, NOON + HOUR, NOON + HOUR - MARGIN),
        (NOON, NOON - HOUR, NOON),
    ],
)
def test_where_an_empty_feed_is_read_from(
    boundary: datetime | None, drained: datetime | None, since: datetime | None
) -> None:
    """From the boundary, or from what was seen to be empty less the margin WorkOS may hold events back."""
    assert Cursor(boundary=boundary, drained_at=drained).since(MARGIN) == since


async def test_the_copy_becomes_ready_once(connection: Connection) -> None:
    """When it first became complete is not forgotten."""
    await cursor.ready(connection, NOON)
    await cursor.ready(connection, NOON + HOUR)
    assert (await cursor.read(connection)).ready_at == NOON


async def test_the_followed_types_are_kept(connection: Connection) -> None:
    """Which types were asked for is known at the next start, so that a new one is noticed."""
    await cursor.subscribe(connection, ["user.created", "user.deleted"])
    assert (await cursor.read(connection)).event_types == ("user.created", "user.deleted")
    await cursor.subscribe(connection, [])
    assert (await cursor.read(connection)).event_types == ()
