"""The cursor: our place in the Events API. Only the events lane moves it, in the transaction that applies the page."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict


class CursorMoved(Conflict):
    """Another listener committed a page first; this page is dropped and nothing of it is kept."""


class CursorRow(Base):
    """The one row that says where we are and how fresh the copy is."""

    __tablename__ = "cursor"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default="1")
    event_id: Mapped[str | None]
    event_at: Mapped[Timestamp | None]
    boundary: Mapped[Timestamp | None]
    drained_at: Mapped[Timestamp | None]
    ready_at: Mapped[Timestamp | None]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Our place in the feed: behind `event_id`, or from `boundary` on before the first event."""

    event_id: str | None = None
    event_at: datetime | None = None
    boundary: datetime | None = None
    drained_at: datetime | None = None
    """When we last reached the end of the feed (the start of the poll that did)."""
    ready_at: datetime | None = None
    """When the copy became complete: backfilled, then drained."""
    event_types: tuple[str, ...] = ()
    now: datetime | None = field(default=None, compare=False)
    """The database's clock when this was read: the one by which ages are told, whatever the processes' clocks say."""

    def since(self, margin: timedelta) -> datetime | None:
        """Where to start from before the first event: the boundary, or later if the feed was seen empty up to there."""
        if self.boundary is None or self.drained_at is None:
            return self.boundary
        return max(self.boundary, self.drained_at - margin)


COLUMNS = "event_id, event_at, boundary, drained_at, ready_at, event_types, clock_timestamp() AS now"


async def ensure(connection: Connection) -> None:
    """Make sure there is a cursor to read and move."""
    await connection.execute("INSERT INTO cursor (id) VALUES (1) ON CONFLICT DO NOTHING")


async def read(connection: Connection) -> Cursor:
    """Where we are; a fresh cursor when nothing was ever read."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM cursor")
    return Cursor(**{**row, "event_types": tuple(row["event_types"])}) if row else Cursor()


async def begin(connection: Connection, boundary: datetime) -> None:
    """Set the boundary the first poll starts from; a cursor that has one, or an event, keeps it."""
    await connection.execute(
        "UPDATE cursor SET boundary = $1 WHERE event_id IS NULL AND boundary IS NULL", boundary
    )  # fmt: skip


async def advance(connection: Connection, *, old: Cursor, event_id: str, event_at: datetime) -> None:
    """Move from where `old` stood to an event of the page being committed; `CursorMoved` if it stands elsewhere."""
    moved = await connection.execute(
        "UPDATE cursor SET event_id = $2, event_at = $3 WHERE event_id IS NOT DISTINCT FROM $1",
        old.event_id, event_id, event_at,
    )  # fmt: skip
    if moved != "UPDATE 1":
        raise CursorMoved(f"the cursor is no longer at {old.event_id}")


async def lose(connection: Connection, *, old: Cursor, boundary: datetime) -> None:
    """Give up a place that WorkOS no longer knows: start from `boundary`, incomplete until a backfill is through."""
    moved = await connection.execute(
        """
        UPDATE cursor SET event_id = NULL, event_at = NULL, boundary = $2, drained_at = NULL, ready_at = NULL
        WHERE event_id IS NOT DISTINCT FROM $1
        """,
        old.event_id, boundary,
    )  # fmt: skip
    if moved != "UPDATE 1":
        raise CursorMoved(f"the cursor is no longer at {old.event_id}")


async def drained(connection: Connection, at: datetime, *, behind: str | None) -> None:
    """Note that a poll begun at `at` reached the end of the feed; an older poll never takes back a newer one's word.

    Only a time that is yet to come is taken back: the clock was set back since it was written. `CursorMoved` unless the
    cursor stands behind the event that the poll led to: what a failover lost was not read again.
    """
    noted = await connection.execute(
        """
        UPDATE cursor
        SET drained_at = greatest(CASE WHEN drained_at <= clock_timestamp() THEN drained_at END, $1::timestamptz)
        WHERE event_id IS NOT DISTINCT FROM $2
        """,
        at, behind,
    )  # fmt: skip
    if noted != "UPDATE 1":
        raise CursorMoved(f"the cursor is no longer at {behind}")


async def clock(connection: Connection) -> datetime:
    """The time by the database's clock, which all our processes share."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def ready(connection: Connection, at: datetime) -> None:
    """Note that the copy is complete."""
    await connection.execute("UPDATE cursor SET ready_at = coalesce(ready_at, $1)", at)


async def subscribe(connection: Connection, event_types: list[str]) -> None:
    """Note which event types are followed from here on."""
    await connection.execute("UPDATE cursor SET event_types = $1", event_types)
