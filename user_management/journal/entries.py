"""Entries: everything WorkOS ever told us, by whatever lane, appended in one order and never changed.

But for two kinds. What a webhook told is provisional: its entry stands at the end of the journal until the feed brings
the same event, which then takes its final place there; the webhook's entry is withdrawn (`webhooks.withdraw`). And what
tells of a person who was erased is a stub, or has them blotted out (`erasures`).
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db import jsontext
from user_management.db.base import Base, Timestamp, Verbatim
from user_management.db.session import Connection
from user_management.journal import redaction
from user_management.journal.timestamps import parse
from user_management.telemetry import spans

LONGEST_NAME = 255
"""Longest event id or type we take at its word; WorkOS's are under 80 characters."""


class Lane(StrEnum):
    """How we learnt something."""

    EVENTS = "events"
    LIST = "list"
    REPLY = "reply"
    WEBHOOK = "webhook"


EVENT_LANES = frozenset({Lane.EVENTS, Lane.WEBHOOK})
"""The lanes whose entries are events, and not objects."""


class Verdict(StrEnum):
    """What became of an entry when it was applied."""

    APPLIED = "applied"
    STALE = "stale"
    FINAL = "final"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    PARKED = "parked"
    PENDING = "pending"
    """a webhook told it, and the feed has not brought it yet"""
    UNCONFIRMED = "unconfirmed"
    """a webhook told it, and the feed did not bring it though it reached its end"""


class EntryRow(Base):
    """One entry as stored. Positions have holes where a webhook's entry stood before the feed brought its event."""

    __tablename__ = "journal"
    __table_args__ = (
        Index(None, "event_id", unique=True, postgresql_where="event_id IS NOT NULL"),
        Index(None, "object_id", "position"),
        Index("ix_journal_webhook", "position", postgresql_where="lane = 'webhook'"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lane: Mapped[str]
    type: Mapped[str]
    event_id: Mapped[str | None]
    object_id: Mapped[str | None]
    occurred_at: Mapped[Timestamp]
    recorded_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    verdict: Mapped[str]
    body: Mapped[Verbatim]
    traceparent: Mapped[str | None]
    announced_at: Mapped[Timestamp | None]


@dataclass(slots=True)
class Entry:
    """Something WorkOS said: `body` is the whole event (events and webhook lanes) or the object itself (other lanes).

    Recording gives it its position and its verdict; nothing else of it ever changes. A webhook's entry is provisional:
    the feed's, of the same event, replaces it at a later position and keeps when it was first told (`announced_at`).
    """

    lane: Lane
    type: str
    event_id: str | None
    object_id: str | None
    occurred_at: datetime
    body: Any
    text: str = ""
    """The body as JSON, as it is stored."""
    position: int = 0
    verdict: Verdict = Verdict.UNKNOWN
    announced_at: datetime | None = None
    """When a webhook told of the event before the feed brought it."""
    data: Any = field(init=False, repr=False, compare=False)
    """The object the entry is about, as WorkOS worded it."""

    def __post_init__(self) -> None:
        """Find the object."""
        told = self.lane in EVENT_LANES
        self.data = self.body if not told else self.body.get("data") if isinstance(self.body, dict) else None

    @property
    def identified(self) -> bool:
        """Whether the event came with an id of WorkOS's, and so can be a place in its feed."""
        return self.event_id is not None and not self.event_id.startswith(DIGEST)


DIGEST = "sha256:"
"""What the ids begin with that we give to events without one."""


def named(value: object) -> str | None:
    """The value when it can serve as an id or a type: non-empty, printable, not endless."""
    fits = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    return str(value) if fits else None


def of_event(event: object, *, received_at: datetime) -> Entry:
    """The entry for one event of the feed, however odd: what has no id is known by the digest of its text."""
    body, text = redaction.clean(event)
    fields = body if isinstance(body, dict) else {}
    data = fields.get("data")
    return Entry(
        lane=Lane.EVENTS,
        type=named(fields.get("event")) or "unreadable",
        event_id=named(fields.get("id")) or DIGEST + hashlib.sha256(text.encode()).hexdigest(),
        object_id=named(data.get("id")) if isinstance(data, dict) else None,
        occurred_at=parse(fields.get("created_at")) or received_at,
        body=body,
        text=text,
    )


def of_object(obj: dict[str, Any], *, lane: Lane, type: str, at: datetime) -> Entry:  # noqa: A002  the entry's own word
    """The entry for an object that was listed, replied or found to be gone, rather than told by an event."""
    body, text = redaction.clean(obj)
    return Entry(lane, type, event_id=None, object_id=named(obj.get("id")), occurred_at=at, body=body, text=text)


def number(entries: Sequence[Entry], *, after: int) -> list[Entry]:
    """The entries, given the positions that follow `after`, without a gap."""
    for position, entry in enumerate(entries, after + 1):
        entry.position = position
    return list(entries)


async def known(connection: Connection, event_ids: Sequence[str]) -> set[str]:
    """Which of these events the journal already holds in their final place; webhooks alone do not count."""
    rows = await connection.fetch(
        "SELECT event_id FROM journal WHERE event_id = ANY($1::text[]) AND lane <> 'webhook'", event_ids
    )
    return {row["event_id"] for row in rows}


async def positions(connection: Connection, event_ids: Sequence[str]) -> dict[str, int]:
    """Where in the journal these events stand, those that have their final place in it."""
    rows = await connection.fetch(
        "SELECT event_id, position FROM journal WHERE event_id = ANY($1::text[]) AND lane <> 'webhook'", event_ids
    )
    return {row["event_id"]: row["position"] for row in rows}


COLUMNS = ("position", "lane", "type", "event_id", "object_id", "occurred_at", "verdict", "body", "traceparent",
           "announced_at")  # fmt: skip


async def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write numbered, judged entries; the caller holds the checkpoints, so that positions commit in order."""
    trace = spans.traceparent()
    records = [
        (
            e.position, e.lane.value, e.type, e.event_id, e.object_id, e.occurred_at, e.verdict.value, e.text, trace,
            e.announced_at,
        )
        for e in entries
    ]  # fmt: skip
    await connection.copy_records_to_table("journal", records=records, columns=COLUMNS)


async def origins(connection: Connection, object_ids: Sequence[str]) -> dict[str, str]:
    """The `traceparent` of the write, for each object that was written through us in the last ten minutes."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (object_id) object_id, traceparent FROM journal
        WHERE object_id = ANY($1::text[]) AND lane = 'reply' AND traceparent IS NOT NULL
          AND recorded_at > now() - interval '10 minutes'
        ORDER BY object_id, position DESC
        """,
        object_ids,
    )
    return {row["object_id"]: row["traceparent"] for row in rows}


def of_row(row: Any) -> Entry:
    """The entry a journal row holds."""
    return Entry(
        lane=Lane(row["lane"]),
        type=row["type"],
        event_id=row["event_id"],
        object_id=row["object_id"],
        occurred_at=row["occurred_at"].astimezone(UTC),
        body=jsontext.loads(row["body"]),
        text=row["body"],
        position=row["position"],
        verdict=Verdict(row["verdict"]),
        announced_at=row["announced_at"] and row["announced_at"].astimezone(UTC),
    )


async def read(
    connection: Connection,
    *,
    after: int,
    types: Sequence[str] | None = None,
    until: int | None = None,
    batch: int = 1000,
) -> AsyncIterator[list[Entry]]:
    """Batches of entries behind `after`, in order, up to and including `until` (None: the end); memory stays flat.

    What only webhooks told is left out: it has no final place yet.
    """
    while True:
        rows = await connection.fetch(
            """
            SELECT * FROM journal
            WHERE position > $1 AND position <= coalesce($2, 9223372036854775807)
              AND ($3::text[] IS NULL OR type = ANY($3)) AND lane <> 'webhook'
            ORDER BY position LIMIT $4
            """,
            after, until, types, batch,
        )  # fmt: skip
        if not rows:
            return
        yield [of_row(row) for row in rows]
        after = rows[-1]["position"]


async def get(connection: Connection, position: int) -> Entry | None:
    """One entry by its position."""
    row = await connection.fetchrow("SELECT * FROM journal WHERE position = $1", position)
    return of_row(row) if row else None
