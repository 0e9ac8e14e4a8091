"""Backfill runs as stored: how far each has come, so that a killed one goes on where it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from opentelemetry.metrics import Observation
from sqlalchemy import ARRAY, BigInteger, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict
from user_management.mirror.engine.resource import Resource
from user_management.telemetry.metrics import gauge


class BackfillMoved(Conflict):
    """Another listener took this step of the backfill first; nothing of ours is kept."""


class Phase(StrEnum):
    """What a backfill is doing."""

    LISTING = "listing"
    """reading every object WorkOS has"""
    FOLLOWING = "following"
    """following the events until a poll that began after the listing reaches the end"""
    CONFIRMING = "confirming"
    """asking WorkOS, one by one, for what it no longer lists"""
    DONE = "done"


class BackfillRow(Base):
    """One run."""

    __tablename__ = "backfills"
    __table_args__ = (Index("uq_backfills_unfinished", "unfinished", unique=True, postgresql_where="unfinished"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    phase: Mapped[str] = mapped_column(server_default=Phase.LISTING.value)
    unfinished: Mapped[bool] = mapped_column(server_default="true")
    requested_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    start_position: Mapped[int] = mapped_column(BigInteger)
    resource: Mapped[str] = mapped_column(server_default="")
    partition: Mapped[str] = mapped_column(server_default="")
    after: Mapped[str] = mapped_column(server_default="")
    listed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    changed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    listed_at: Mapped[Timestamp | None]
    absent: Mapped[int] = mapped_column(BigInteger, server_default="0")
    note: Mapped[str] = mapped_column(server_default="")
    finished_at: Mapped[Timestamp | None]
    deletions_capped: Mapped[bool] = mapped_column(server_default="false")
    also: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    left_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class SeenRow(Base):
    """An object that a run has seen listed; only runs over a copy that held something keep these."""

    __tablename__ = "backfill_seen"

    backfill_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    differs: Mapped[bool] = mapped_column(server_default="false")
    """Whether it was listed as old as it is here, and yet otherwise: it is asked for by name before the run ends."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """A run and its place: which resource, which partition of it, behind which object."""

    id: int
    phase: Phase
    requested_at: datetime
    start_position: int
    resource: str
    partition: str
    after: str
    listed: int
    changed: int
    listed_at: datetime | None
    absent: int
    note: str
    finished_at: datetime | None
    deletions_capped: bool = False
    """Whether it found more objects gone than it may delete, and deleted none."""
    also: tuple[str, ...] = ()
    """Resources that are listed only where they are asked for, and are."""
    left_out: tuple[str, ...] = ()
    """Resources that WorkOS does not let us list."""

    def lists(self, resource: Resource) -> bool:
        """Whether it lists a resource."""
        asked = resource.listing.wanted or resource.name in self.also
        return asked and resource.name not in self.left_out


COLUMNS = ", ".join(Backfill.__annotations__)


class Newest:
    """The newest run as it was last seen, which is what the gauges show."""

    run: Backfill | None = None

    def show(self, value: Callable[[Backfill], int]) -> Callable[[], list[Observation]]:
        """Observe something of it, if there is one."""
        return lambda: [] if self.run is None else [Observation(value(self.run))]


newest = Newest()
gauge("user_management.backfill.running", "1 while a backfill is at work.",
      newest.show(lambda run: int(run.finished_at is None)))  # fmt: skip
gauge("user_management.backfill.listed", "Objects the newest backfill has listed.",
      newest.show(lambda run: run.listed), unit="{object}")  # fmt: skip
gauge("user_management.backfill.changed", "Objects the newest backfill found new or changed.",
      newest.show(lambda run: run.changed), unit="{object}")  # fmt: skip
gauge("user_management.backfill.deletions_capped", "1 if the newest backfill found too much gone and deleted nothing.",
      newest.show(lambda run: int(run.deletions_capped)))  # fmt: skip
gauge("user_management.backfill.left_out", "Resources that WorkOS did not let the newest backfill list.",
      newest.show(lambda run: len(run.left_out)), unit="{resource}")  # fmt: skip


def of_row(row: Any) -> Backfill | None:
    """The run a database record holds, if there is one."""
    if not row:
        return None
    plain = {"phase": Phase(row["phase"]), "also": tuple(row["also"]), "left_out": tuple(row["left_out"])}
    return Backfill(**{**row, **plain})


async def unfinished(connection: Connection) -> Backfill | None:
    """The run at work, if there is one."""
    return of_row(await connection.fetchrow(f"SELECT {COLUMNS} FROM backfills WHERE unfinished"))


async def latest(connection: Connection) -> Backfill | None:
    """The newest run, finished or not."""
    return of_row(await connection.fetchrow(f"SELECT {COLUMNS} FROM backfills ORDER BY id DESC LIMIT 1"))


async def request(connection: Connection, first_resource: str, also: Sequence[str] = ()) -> Backfill:
    """Ask for a run; the one at work, if there is one, is the answer."""
    await connection.execute(
        """
        INSERT INTO backfills (start_position, resource, also)
        SELECT position, $1, $2::text[] FROM checkpoints WHERE name = 'journal' ON CONFLICT DO NOTHING
        """,
        first_resource, list(also),
    )  # fmt: skip
    run = await unfinished(connection)
    if run is None:
        raise BackfillMoved("the run that was at work has just finished; ask again")
    return run


async def abandon(connection: Connection) -> None:
    """Close the run at work, if there is one, as void: what it listed is no longer followed from before its start."""
    await connection.execute(
        "UPDATE backfills SET unfinished = false, phase = $1, note = 'abandoned', finished_at = now() WHERE unfinished",
        Phase.DONE.value,
    )
    await connection.execute("DELETE FROM backfill_seen")


async def move(connection: Connection, run: Backfill, **changes: Any) -> None:
    """Move a run from where it stood, in the transaction that does the step; `BackfillMoved` if it stands elsewhere."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(changes, 6))
    moved = await connection.execute(
        f"UPDATE backfills SET {sets} WHERE id = $1 AND phase = $2 AND resource = $3 AND partition = $4 AND after = $5",
        run.id, run.phase.value, run.resource, run.partition, run.after, *changes.values(),
    )  # fmt: skip
    if moved != "UPDATE 1":
        raise BackfillMoved(f"backfill {run.id} is no longer at {run.phase} {run.resource} {run.partition} {run.after}")


async def finish(connection: Connection, run: Backfill, *, note: str, absent: int, capped: bool = False) -> None:
    """Close a run and forget what it saw."""
    now = datetime.now(UTC)
    await move(
        connection, run, phase=Phase.DONE.value, unfinished=False, finished_at=now, note=note, absent=absent, after="",
        deletions_capped=capped,
    )  # fmt: skip
    await connection.execute("DELETE FROM backfill_seen WHERE backfill_id = $1", run.id)


async def see(connection: Connection, run: Backfill, resource: str, ids: list[str], differing: list[str]) -> None:
    """Note which objects a page listed, and which of them as old as they are here, and yet otherwise."""
    await connection.execute(
        """
        INSERT INTO backfill_seen (backfill_id, resource, id, differs)
        SELECT DISTINCT $1::bigint, $2, id, id = ANY ($4) FROM unnest($3::text[]) id
        ON CONFLICT (backfill_id, resource, id) DO UPDATE SET differs = excluded.differs
        """,
        run.id, resource, ids, differing,
    )  # fmt: skip


async def differing(connection: Connection, run: Backfill, resource: str, *, limit: int) -> list[str]:
    """Objects that the run saw listed as old as they are here, and yet otherwise."""
    rows = await connection.fetch(
        "SELECT id FROM backfill_seen WHERE backfill_id = $1 AND resource = $2 AND differs ORDER BY id LIMIT $3",
        run.id, resource, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def left_out(connection: Connection) -> set[str]:
    """The resources that the newest run could not list."""
    run = await latest(connection)
    return set(run.left_out) if run else set()


async def absent(connection: Connection, run: Backfill, resource: str, *, limit: int) -> list[str]:
    """Live objects that were known before the run, were not touched since and were not listed by it.

    What only webhooks told of them does not count.
    """
    rows = await connection.fetch(
        f"""
        SELECT mirrored.id FROM {resource} mirrored
        LEFT JOIN provisional before ON before.resource = $3 AND before.id = mirrored.id
        WHERE CASE WHEN before.id IS NULL THEN mirrored.deleted_at IS NULL AND mirrored.position <= $2
                   ELSE before.existed AND before.deleted_at IS NULL AND before.position <= $2 END
        AND NOT EXISTS (
            SELECT FROM backfill_seen seen WHERE seen.backfill_id = $1 AND seen.resource = $3 AND seen.id = mirrored.id)
        ORDER BY mirrored.id LIMIT $4
        """,
        run.id, run.start_position, resource, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]
