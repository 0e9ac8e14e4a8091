"""`user-management status`: how the copy is, in one table."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from user_management import settings as configuration
from user_management.cli import edge
from user_management.db.session import Connection
from user_management.errors import Misconfigured
from user_management.journal import checkpoints, cursor, failures, freshness, verifications
from user_management.journal.cursor import Cursor
from user_management.journal.freshness import Freshness
from user_management.listener import backfills, lease
from user_management.listener.backfills import Backfill
from user_management.listener.doubt import Trust, trust
from user_management.mirror.engine import catalog
from user_management.settings import Settings, Source


@dataclass(frozen=True, slots=True)
class Count:
    """What one resource holds, and how far it has applied the journal."""

    resource: str
    live: int
    tombstones: int
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything an operator asks first."""

    at: datetime
    freshness: Freshness
    cursor: Cursor
    position: int
    counts: list[Count]
    parked: int
    listener: str | None
    backfill: Backfill | None
    source: Source | None
    verified: dict[str, datetime]


def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show state, cursor, lag, counts and parked entries.  Example: user-management status --json."""
    found = edge.run(look())
    if as_json:
        edge.print_json(as_data(found))
    else:
        edge.out.print(table(found))


async def look() -> Status:
    """The status, all of one moment."""
    async with (
        edge.open_desk() as desk,
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await read(connection, stale_after=desk.settings.stale_after, source=followed(desk.settings))


def followed(settings: Settings) -> Source | None:
    """Whom the settings would have us follow; None when they do not say, which need not be known here."""
    try:
        return configuration.source(settings)
    except Misconfigured:
        return None


async def read(connection: Connection, *, stale_after: float, source: Source | None) -> Status:
    """The status as one snapshot of the database shows it."""
    place, positions = await cursor.read(connection), await checkpoints.read(connection)
    now = place.now or datetime.now(UTC)
    return Status(
        at=now,
        freshness=freshness.judge(
            now=now, drained_at=place.drained_at, ready_at=place.ready_at, stale_after=stale_after
        ),
        cursor=place,
        position=positions.get(checkpoints.HEAD, 0),
        counts=[await count(connection, one.name, positions.get(one.name, 0)) for one in catalog.resources()],
        parked=await failures.count(connection),
        listener=await lease.holder(connection),
        backfill=await backfills.latest(connection),
        source=source,
        verified=await verifications.oldest_of_all(connection),
    )


async def count(connection: Connection, name: str, checkpoint: int) -> Count:
    """The rows of one resource, exactly: both counts can be answered from an index alone."""
    row = await connection.fetchrow(
        f"SELECT (SELECT count(*) FROM {name}) AS every, (SELECT count(*) FROM {name} WHERE deleted_at IS NULL) AS live"
    )
    assert row is not None  # noqa: S101  a SELECT without FROM always answers one row
    return Count(name, row["live"], row["every"] - row["live"], checkpoint)


def as_data(found: Status) -> dict[str, Any]:
    """The status as JSON shows it."""
    return {
        "source": found.source and {"name": found.source.name, "url": found.source.base_url},
        "state": found.freshness.state,
        "reason": found.freshness.reason,
        "as_of": found.freshness.as_of,
        "lag_seconds": found.freshness.age,
        "cursor": {
            "event_id": found.cursor.event_id,
            "event_at": found.cursor.event_at,
            "trust": trust(found.cursor),
        },
        "position": found.position,
        "resources": {one.resource: asdict(one) for one in found.counts},
        "parked": found.parked,
        "listener": found.listener,
        "backfill": asdict(found.backfill) if found.backfill else None,
        "oldest_verified": {one.resource: found.verified.get(one.resource) for one in found.counts},
        "deletions_capped": found.backfill is not None and found.backfill.deletions_capped,
    }


def table(found: Status) -> Table:
    """The status for people."""
    lines = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    lines.add_row("source", origin(found.source))
    lines.add_row("state", f"[bold]{found.freshness.state}[/bold]  {found.freshness.reason or ''}")
    lines.add_row("lag", lag(found.freshness))
    lines.add_row("cursor", place(found.cursor, found.at) + ageing(found.cursor))
    lines.add_row("position", f"{found.position:,}")
    refused = set(found.backfill.left_out) if found.backfill else set()
    for one in sorted(found.counts, key=lambda count: count.resource):
        lines.add_row(one.resource, held(one, found.position, refused=one.resource in refused))
    lines.add_row("parked", f"[red]{found.parked:,}: see user-management failures list[/red]" if found.parked else "0")
    lines.add_row(
        "listener", escape(found.listener or "") or "[red]none at work: run python -m user_management.listener[/red]"
    )
    lines.add_row("backfill", run(found.backfill))
    lines.add_row("verified", proven(found))
    if found.backfill is not None and found.backfill.deletions_capped:
        lines.add_row(
            "deletions", f"[red]capped: {found.backfill.absent:,} or more are gone at WorkOS; none deleted[/red]"
        )
    return lines


def held(one: Count, position: int, *, refused: bool) -> str:
    """What one resource holds, how far it is behind, if it is, and whether WorkOS lets us list it."""
    behind = position - one.checkpoint
    told = f"{one.live:,} live, {one.tombstones:,} deleted"
    told += f", checkpoint {one.checkpoint:,} [red]({behind:,} behind)[/red]" if behind else ""
    return told + (" [yellow](WorkOS refuses to list them)[/yellow]" if refused else "")


def origin(found: Source | None) -> str:
    """Where the copy comes from, by this process's settings."""
    if found is None:
        return "[yellow]none: USER_MANAGEMENT_WORKOS_API_KEY is not set here[/yellow]"
    made_up = "  [yellow](made-up people)[/yellow]" if found.sandbox else ""
    return f"{found.name}  {escape(found.base_url)}{made_up}"


def lag(found: Freshness) -> str:
    """How long ago the end of the feed was last reached."""
    return "the end of the feed was never reached" if found.age is None else f"{found.age:,} s"


def place(found: Cursor, now: datetime) -> str:
    """Where in the feed we are, and how long ago that event happened."""
    if found.event_id is None or found.event_at is None:
        return f"before the first event, from {found.boundary:%Y-%m-%d %H:%M:%S} on" if found.boundary else "not begun"
    return f"{escape(found.event_id)}, {(now - found.event_at).total_seconds():,.0f} s old"


def ageing(found: Cursor) -> str:
    """What is to be said of a place that WorkOS soon forgets, or has forgotten."""
    words = {
        Trust.AGEING: "half of WorkOS's 30 days are over since the feed's end was reached",
        Trust.EXPIRED: "not trusted any more: the listener begins again once WorkOS answers",
    }
    said = words.get(trust(found))
    return f"  [red]{said}[/red]" if said else ""


def proven(found: Status) -> str:
    """How long ago that object was compared with WorkOS that has waited longest, and of how many resources each was."""
    done = {name: at for name, at in found.verified.items() if name in {one.resource for one in found.counts}}
    if not done:
        return "none yet"
    eldest = min(done, key=done.__getitem__)
    hours = (found.at - done[eldest]).total_seconds() / 3600
    return f"{len(done)} of {len(found.counts)} resources, the longest ago {eldest}, {hours:,.1f} h"


def run(found: Backfill | None) -> str:
    """What the newest backfill did or does."""
    if found is None:
        return "none yet"
    where = f" {found.resource}" if found.phase is backfills.Phase.LISTING else ""
    ended = f", finished {found.finished_at:%Y-%m-%d %H:%M:%S}" if found.finished_at else ""
    return (
        f"{found.phase}{where}, {found.listed:,} listed, {found.changed:,} changed{ended} {escape(found.note)}".rstrip()
    )
