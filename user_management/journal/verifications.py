"""Verifications: which part of the copy was held against WorkOS, when, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, BigInteger, Double, Identity, Index, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db import jsontext
from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict

ROLLING, ASKED = "rolling", "asked"
"""Who wants a verification: the listener, over and over; or an operator."""


class VerificationMoved(Conflict):
    """Another process took this step of the verification first; nothing of ours is kept."""


class VerificationRow(Base):
    """One run over some resources, and its place."""

    __tablename__ = "verifications"
    __table_args__ = (
        Index("uq_verifications_unfinished", "kind", unique=True, postgresql_where="finished_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    resources: Mapped[list[str]] = mapped_column(ARRAY(Text))
    share: Mapped[float] = mapped_column(Double)
    head_before: Mapped[int] = mapped_column(BigInteger)
    head_after: Mapped[int | None] = mapped_column(BigInteger)
    resource: Mapped[str]
    partition: Mapped[str] = mapped_column(server_default="")
    reached_at: Mapped[Timestamp | None]
    reached_id: Mapped[str] = mapped_column(server_default="")
    steps: Mapped[int] = mapped_column(Integer, server_default="0")
    started_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    finished_at: Mapped[Timestamp | None]
    left_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class VerifiedRow(Base):
    """One page that was compared: the objects of a partition behind one key, up to another (null: to the end)."""

    __tablename__ = "verified"
    __table_args__ = (Index(None, "resource", "partition", "upto_at", "upto_id"),)

    verification_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    resource: Mapped[str]
    partition: Mapped[str]
    from_at: Mapped[Timestamp | None]
    from_id: Mapped[str]
    upto_at: Mapped[Timestamp | None]
    upto_id: Mapped[str]
    verified_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    objects: Mapped[int] = mapped_column(Integer)
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    hash: Mapped[str]


class FindingRow(Base):
    """One object that was not as WorkOS says."""

    __tablename__ = "findings"
    __table_args__ = (Index(None, "resource", "object_id"),)

    verification_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    object_id: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(Integer)
    standing: Mapped[str]
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    position: Mapped[int] = mapped_column(BigInteger)
    found_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    repair: Mapped[str] = mapped_column(server_default="")


@dataclass(frozen=True, slots=True)
class Key:
    """A place in a list that is ordered by age: behind the object created then, with this id."""

    at: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """A run and its place."""

    id: int
    kind: str
    resources: tuple[str, ...]
    share: float
    head_before: int
    head_after: int | None
    resource: str
    partition: str
    reached: Key
    steps: int
    started_at: datetime
    finished_at: datetime | None
    left_out: tuple[str, ...] = ()
    """Those of its resources that WorkOS turned out not to let us list: nothing is proven of them."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one step compared: from which key to which, how many objects stood how, and the hash of WorkOS's words."""

    resource: str
    partition: str
    begin: Key
    end: Key | None
    objects: int
    counts: Mapping[str, int]
    hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that is not as WorkOS says: which keys differ, where its row stands (0: no row), and whose it is."""

    resource: str
    object_id: str
    standing: str
    keys: tuple[str, ...] = ()
    position: int = 0
    repair: str = ""
    partition: str = ""


def of_row(row: Any) -> Verification | None:
    """The run a database record holds, if there is one."""
    if row is None:
        return None
    fields = dict(row)
    key = Key(fields.pop("reached_at"), fields.pop("reached_id"))
    names = {name: tuple(fields[name]) for name in ("resources", "left_out")}
    return Verification(**{**fields, **names, "reached": key})


async def unfinished(connection: Connection, kind: str) -> Verification | None:
    """The run of a kind that is at work, or was interrupted."""
    statement = "SELECT * FROM verifications WHERE kind = $1 AND finished_at IS NULL"
    return of_row(await connection.fetchrow(statement, kind))


async def begin(connection: Connection, kind: str, resources: Sequence[str], share: float) -> Verification:
    """Begin a run over resources; an interrupted one of the same kind is given up."""
    await connection.execute("DELETE FROM verifications WHERE kind = $1 AND finished_at IS NULL", kind)
    row = await connection.fetchrow(
        """
        INSERT INTO verifications (kind, resources, share, head_before, resource)
        SELECT $1, $2::text[], $3, position, $4 FROM checkpoints WHERE name = 'journal' RETURNING *
        """,
        kind, list(resources), share, resources[0],
    )  # fmt: skip
    run = of_row(row)
    if run is None:
        raise VerificationMoved("there is no journal yet: start the listener first")
    return run


async def place(
    connection: Connection, run: Verification, at: tuple[str, str, Key], left_out: Sequence[str] = ()
) -> Verification:
    """Put a run to where it begins, or goes on behind resources that it has to leave out."""
    resource, partition, reached = at
    row = await connection.fetchrow(
        "UPDATE verifications SET resource = $3, partition = $4, reached_at = $5, reached_id = $6, "
        "left_out = left_out || $7::text[] WHERE id = $1 AND steps = $2 AND finished_at IS NULL RETURNING *",
        run.id, run.steps, resource, partition, reached.at, reached.id, list(left_out),
    )  # fmt: skip
    return standing(of_row(row), run)


def standing(moved: Verification | None, run: Verification) -> Verification:
    """A run as it stands after a step; `VerificationMoved` if it stood elsewhere before."""
    if moved is None:
        raise VerificationMoved(f"verification {run.id} is no longer at step {run.steps}")
    return moved


async def step(
    connection: Connection, run: Verification, page: Page, findings: Sequence[Finding], place: tuple[str, str, Key]
) -> Verification:
    """Keep a compared page with what was found, and move the run from where it stood to the next place."""
    resource, partition, reached = place
    row = await connection.fetchrow(
        """
        UPDATE verifications SET resource = $3, partition = $4, reached_at = $5, reached_id = $6, steps = steps + 1
        WHERE id = $1 AND steps = $2 AND finished_at IS NULL RETURNING *
        """,
        run.id, run.steps, resource, partition, reached.at, reached.id,
    )  # fmt: skip
    moved = standing(of_row(row), run)
    end = page.end or Key()
    await connection.execute(
        """
        INSERT INTO verified (verification_id, step, resource, partition, from_at, from_id, upto_at, upto_id,
                              objects, counts, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::json, $11)
        """,
        run.id, run.steps, page.resource, page.partition, page.begin.at, page.begin.id, end.at, end.id,
        page.objects, jsontext.dumps(dict(page.counts)), page.hash,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO findings (verification_id, step, resource, object_id, standing, keys, position) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        [
            (run.id, run.steps, one.resource, one.object_id, one.standing, list(one.keys), one.position)
            for one in findings
        ],
    )
    return moved


async def finish(connection: Connection, run: Verification) -> Verification:
    """Close a run at the journal's head. Older ones of its kind go, but for a whole one of something it left out."""
    compared = set(run.resources).difference(run.left_out)
    row = await connection.fetchrow(
        "UPDATE verifications SET finished_at = now(), head_after = "
        "(SELECT position FROM checkpoints WHERE name = 'journal') WHERE id = $1 AND finished_at IS NULL RETURNING *",
        run.id,
    )
    finished = of_row(row)
    if finished is None:
        raise VerificationMoved(f"verification {run.id} was given up for another one")
    await connection.execute(
        "DELETE FROM verifications WHERE kind = $1 AND id < $2 "
        "AND (share < 1 OR ($3 >= 1 AND NOT EXISTS (SELECT FROM unnest(resources) name "
        "WHERE name <> ALL (left_out) AND name <> ALL ($4::text[]))))",
        run.kind, run.id, run.share, list(compared),
    )  # fmt: skip
    for table in ("verified", "findings"):
        await connection.execute(f"DELETE FROM {table} WHERE verification_id NOT IN (SELECT id FROM verifications)")
    return finished


async def pages(connection: Connection, run: Verification) -> list[Any]:
    """What every step of a run compared, in order."""
    return list(await connection.fetch("SELECT * FROM verified WHERE verification_id = $1 ORDER BY step", run.id))


async def findings(connection: Connection, run: Verification, since: int = 0) -> list[Finding]:
    """What a run found, from a step on, by resource and id."""
    rows = await connection.fetch(
        "SELECT f.resource, object_id, standing, keys, position, repair, partition FROM findings f "
        "JOIN verified USING (verification_id, step) WHERE verification_id = $1 AND step >= $2 "
        "ORDER BY f.resource, object_id", run.id, since,
    )  # fmt: skip
    return [Finding(**{**row, "keys": tuple(row["keys"])}) for row in rows]


async def repaired(connection: Connection, run: Verification, finding: Finding, how: str) -> None:
    """Note what became of a finding."""
    await connection.execute(
        "UPDATE findings SET repair = $4 WHERE verification_id = $1 AND resource = $2 AND object_id = $3",
        run.id, finding.resource, finding.object_id, how,
    )  # fmt: skip


async def verified_at(
    connection: Connection, resource: str, partition: str, key: Key, *, since: datetime
) -> datetime | None:
    """When an object was last compared with WorkOS, by its partition and its place in the list; None: never yet.

    Not before WorkOS first told of it: the last page of a list covers whoever comes later, too.
    """
    found: datetime | None = await connection.fetchval(
        """
        SELECT max(verified_at) FROM verified
        WHERE resource = $1 AND partition = $2 AND (from_at IS NULL OR (from_at, from_id) < ($3, $4))
          AND (upto_at IS NULL OR (upto_at, upto_id) >= ($3, $4)) AND verified_at > $5
        """,
        resource, partition, key.at, key.id, since,
    )  # fmt: skip
    return found


async def oldest(connection: Connection, resource: str) -> datetime | None:
    """When that object of a resource was last verified that has waited longest; None before the first whole run.

    As far as the rolling run has come since then its pages count, and from there on those of the whole run.
    """
    whole = of_row(
        await connection.fetchrow(
            "SELECT * FROM verifications WHERE finished_at IS NOT NULL AND share >= 1 AND $1 = ANY(resources) "
            "AND $1 <> ALL(left_out) ORDER BY id DESC LIMIT 1",
            resource,
        )
    )
    if whole is None:
        return None
    now = await unfinished(connection, ROLLING)
    newer = now is not None and now.id > whole.id and resource in set(now.resources).difference(now.left_out)
    place = reached_in(now, resource) if newer and now is not None else BEGINNING
    found: datetime | None = await connection.fetchval(
        """
        SELECT min(verified_at) FROM verified WHERE resource = $1 AND (verification_id = $2 OR verification_id = $3
          AND $4 AND (partition > $5 OR (partition = $5 AND (
            $6::timestamptz IS NULL OR upto_at IS NULL OR (upto_at, upto_id) > ($6, $7)))))
        """,
        resource, now.id if newer and now else None, whole.id, place is not None,
        *((place[0], place[1].at, place[1].id) if place else ("", None, "")),
    )  # fmt: skip
    return found or whole.started_at


BEGINNING = ("", Key())


def reached_in(run: Verification, resource: str) -> tuple[str, Key] | None:
    """How far into a resource a run has come: a partition and a key in it; None when it is through."""
    here, wanted = (
        run.resources.index(run.resource) if run.resource else len(run.resources),
        run.resources.index(resource),
    )
    return None if here > wanted else (run.partition, run.reached) if here == wanted else BEGINNING


async def oldest_of_all(connection: Connection) -> dict[str, datetime]:
    """By resource, when that object was last verified that has waited longest; none before the first whole run."""
    rows = await connection.fetch(
        "SELECT DISTINCT unnest(resources) AS name FROM verifications WHERE finished_at IS NOT NULL AND share >= 1"
    )
    return await oldest_of(connection, [row["name"] for row in rows])


async def oldest_of_rolling(connection: Connection) -> dict[str, datetime]:
    """The same of what the newest whole rolling run compared: of nothing else can the listener be too late."""
    rows = await connection.fetch(
        "SELECT unnest(resources) AS name FROM verifications "
        "WHERE id = (SELECT max(id) FROM verifications WHERE kind = $1 AND finished_at IS NOT NULL)",
        ROLLING,
    )
    return await oldest_of(connection, [row["name"] for row in rows])


async def oldest_of(connection: Connection, names: Sequence[str]) -> dict[str, datetime]:
    """By resource, when that object was last verified that has waited longest."""
    found = {name: await oldest(connection, name) for name in names}
    return {name: at for name, at in found.items() if at is not None}
