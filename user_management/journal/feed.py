"""The feed: the events of the journal in WorkOS's own order and words, as far back as the journal goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from user_management.db.session import Connection

PATIENCE = 2.0
"""Seconds a page may take to be found; what is rare is looked for through all of the journal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for: types, behind which event or between which times, of which organization."""

    types: tuple[str, ...]
    limit: int = 10
    after: str | None = None
    range_start: datetime | None = None
    range_end: datetime | None = None
    organization_id: str | None = None


STATE = """
    SELECT cursor.drained_at, cursor.ready_at, cursor.boundary, cursor.event_types, clock_timestamp() AS now,
           (SELECT position FROM checkpoints WHERE name = 'journal') AS position,
           place.position AS place, place.occurred_at AS place_at,
           (SELECT max(requested_at) FROM backfills WHERE id > (SELECT min(id) FROM backfills)) AS changed_at
    FROM cursor LEFT JOIN journal place ON place.event_id = $1::text AND place.lane = 'events'
"""


async def state(connection: Connection, after: str | None) -> Record | None:
    """How fresh the journal is, which types it follows from which boundary on, and where the event `after` stands.

    Since `changed_at` it surely follows all of these types: a type that is followed anew asks for a backfill.
    """
    return await connection.fetchrow(STATE, after)


PAGE = """
    SELECT event_id, body::text AS body, type, occurred_at FROM journal
    WHERE lane = 'events' AND type = ANY($1::text[]) AND position > $2
      AND ($3::timestamptz IS NULL OR occurred_at > $3) AND ($4::timestamptz IS NULL OR occurred_at < $4)
      AND ($5::text IS NULL OR $5 IN (
        body -> 'data' ->> 'organization_id',
        CASE WHEN type LIKE 'organization.%' THEN body -> 'data' ->> 'id' END))
    ORDER BY position LIMIT $6
"""


async def page(connection: Connection, wanted: Wanted, *, place: int) -> Sequence[Record]:
    """The events behind a position, oldest first, and one more than asked for where there is one.

    Only what the feed brought: a webhook's events are in no order yet, and of who was erased nothing is told.
    """
    return await connection.fetch(
        PAGE, list(wanted.types), place, wanted.range_start, wanted.range_end, wanted.organization_id,
        wanted.limit + 1, timeout=PATIENCE,
    )  # fmt: skip
