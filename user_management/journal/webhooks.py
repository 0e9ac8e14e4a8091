"""Webhooks in the journal: what they told before the feed did, and what becomes of it.

Such an entry is pending until the feed brings the event, and is laid over the copy meanwhile. It never is a place in
the feed. One that the feed does not bring is given up, and its object was read again by then.
"""

from collections.abc import Sequence
from datetime import timedelta

from user_management.db.session import Connection
from user_management.journal import entries
from user_management.journal.entries import Entry, Verdict

LIMIT = 500
"""Most pending webhooks that are laid over the copy at once, the oldest; the others wait for the feed."""

CHANNEL = "user_management_webhooks"
"""Where PostgreSQL tells listeners that a webhook was recorded."""


async def holds(connection: Connection, event_id: str) -> bool:
    """Whether the journal has heard of an event, by whatever lane."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM journal WHERE event_id = $1)", event_id))


async def expected(connection: Connection, entry: Entry) -> bool:
    """Whether the feed will bring the event: its type is followed, and it is no older than where following began."""
    found = await connection.fetchval(
        "SELECT $1 = ANY (event_types) AND $2 >= coalesce(boundary, '-infinity') FROM cursor",
        entry.type, entry.occurred_at,
    )  # fmt: skip
    return bool(found)


async def pending(connection: Connection) -> list[Entry]:
    """The webhooks to be laid over the copy, in the order of their arrival."""
    rows = await connection.fetch(
        "SELECT * FROM journal WHERE lane = 'webhook' AND verdict = 'pending' ORDER BY position LIMIT $1", LIMIT
    )
    return [entries.of_row(row) for row in rows]


async def count(connection: Connection) -> int:
    """How many webhooks wait for the feed to bring their events."""
    number: int = await connection.fetchval(
        "SELECT count(*) FROM journal WHERE lane = 'webhook' AND verdict = 'pending'"
    )
    return number


async def overdue(connection: Connection, patience: timedelta) -> list[Entry]:
    """The webhooks whose events the feed did not bring, though it was read to its end by a poll begun so much later."""
    rows = await connection.fetch(
        """
        SELECT journal.* FROM journal, cursor
        WHERE lane = 'webhook' AND verdict = 'pending' AND recorded_at + $1 < drained_at
        ORDER BY position LIMIT $2
        """,
        patience, LIMIT,
    )  # fmt: skip
    return [entries.of_row(row) for row in rows]


async def withdraw(connection: Connection, brought: Sequence[Entry]) -> None:
    """Take the webhooks' entries of these events out, for the feed has brought them; each keeps when it was told."""
    found = await connection.fetch(
        "DELETE FROM journal WHERE event_id = ANY($1::text[]) AND lane = 'webhook' RETURNING event_id, recorded_at",
        [entry.event_id for entry in brought],
    )
    announced = {row["event_id"]: row["recorded_at"] for row in found}
    for entry in brought:
        entry.announced_at = announced.get(entry.event_id)


async def give_up(connection: Connection, entry: Entry) -> bool:
    """No longer wait for the feed to bring a webhook's event; False if it has, meanwhile."""
    done = await connection.execute(
        "UPDATE journal SET verdict = $2 WHERE position = $1 AND lane = 'webhook' AND verdict = 'pending'",
        entry.position, Verdict.UNCONFIRMED.value,
    )  # fmt: skip
    return done == "UPDATE 1"


async def wake(connection: Connection) -> None:
    """Let the listener know, once the transaction is committed."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
