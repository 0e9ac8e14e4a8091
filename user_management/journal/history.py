"""History: what the journal holds about one object, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal.entries import EVENT_LANES, Lane, Verdict

LAST = 2**63 - 1
"""The highest position there can be."""


@dataclass(frozen=True, slots=True)
class Said:
    """One entry as it is told of: by which lane it came, what became of it, and its body if that was asked for."""

    position: int
    lane: Lane
    type: str
    event_id: str | None
    object_id: str | None
    occurred_at: datetime
    recorded_at: datetime
    verdict: Verdict
    body: Any = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """An entry that a resource could not apply, and that is still parked."""

    position: int
    type: str
    error: str
    attempts: int
    parked_at: datetime


COLUMNS = "position, lane, type, event_id, object_id, occurred_at, recorded_at, verdict"
ABOUT = "object_id = $1 AND (type = ANY($2::text[]) OR starts_with(type, $3))"
"""Entries about an object of a kind: of the types its resource follows, and those that are called after it."""


def said(row: Any) -> Said:
    """The entry a row tells of."""
    values = {**row, "lane": Lane(row["lane"]), "verdict": Verdict(row["verdict"])}
    if "body" in values:
        values["body"] = jsontext.loads(values["body"])
    return Said(**values)


async def about(
    connection: Connection, object_id: str, types: Sequence[str], kind: str, *, before: int, count: int, bodies: bool
) -> list[Said]:
    """Up to `count` entries about an object before a position, newest first, along the index of objects."""
    columns = f"{COLUMNS}, body" if bodies else COLUMNS
    rows = await connection.fetch(
        f"SELECT {columns} FROM journal WHERE {ABOUT} AND position < $4 ORDER BY position DESC LIMIT $5",
        object_id, types, f"{kind}.", before, count,
    )  # fmt: skip
    return [said(row) for row in rows]


async def first_heard(connection: Connection, object_id: str, types: Sequence[str], kind: str) -> datetime | None:
    """When the journal first heard of an object."""
    found: datetime | None = await connection.fetchval(
        f"SELECT recorded_at FROM journal WHERE {ABOUT} ORDER BY position LIMIT 1", object_id, types, f"{kind}."
    )
    return found


async def last_event(connection: Connection, object_id: str, types: Sequence[str], kind: str) -> Said | None:
    """The last event about an object, by whichever way it came."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM journal WHERE {ABOUT} AND lane = ANY($4::text[]) ORDER BY position DESC LIMIT 1",
        object_id, types, f"{kind}.", [lane.value for lane in EVENT_LANES],
    )  # fmt: skip
    return said(row) if row else None


async def at(connection: Connection, position: int) -> Said | None:
    """The entry at a position."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM journal WHERE position = $1", position)
    return said(row) if row else None


async def troubles(connection: Connection, object_id: str, resource: str) -> list[Trouble]:
    """The parked entries about an object that a resource could not apply, oldest first."""
    rows = await connection.fetch(
        """
        SELECT position, type, error, attempts, parked_at FROM failures JOIN journal USING (position)
        WHERE object_id = $1 AND resource = $2 AND resolved_at IS NULL ORDER BY position
        """,
        object_id, resource,
    )  # fmt: skip
    return [Trouble(*row.values()) for row in rows]
