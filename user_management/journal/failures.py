"""Failures: entries that could not be applied, set aside with their error until an operator retries or skips them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import NotFound


class NoSuchFailure(NotFound):
    """No entry is parked under that position."""


class FailureRow(Base):
    """One entry that one resource could not apply."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "parked_at", postgresql_where="resolved_at IS NULL"),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    resource: Mapped[str] = mapped_column(primary_key=True)
    error: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, server_default="1")
    parked_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    resolved_at: Mapped[Timestamp | None]
    resolution: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an entry could not be applied to a resource."""

    position: int
    resource: str
    error: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked entry as an operator sees it."""

    position: int
    resource: str
    error: str
    attempts: int
    parked_at: datetime
    type: str
    event_id: str | None
    object_id: str | None


async def park(connection: Connection, failures: Sequence[Failure]) -> None:
    """Set entries aside with their errors; parking one again counts an attempt and opens it if it was resolved."""
    await connection.execute(
        """
        INSERT INTO failures (position, resource, error)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
        ON CONFLICT (position, resource) DO UPDATE
        SET error = excluded.error, attempts = failures.attempts + 1, resolved_at = NULL, resolution = NULL
        """,
        [failure.position for failure in failures],
        [failure.resource for failure in failures],
        [storable(failure.error) for failure in failures],
    )


def storable(words: str) -> str:
    """The words as PostgreSQL can hold them: without NUL and lone surrogates, which are written as escapes."""
    return words.replace("\x00", "\\0").encode(errors="backslashreplace").decode()


async def parked(connection: Connection, position: int | None = None) -> list[Parked]:
    """The entries that are still parked, oldest first; with a position, only that entry's."""
    rows = await connection.fetch(
        """
        SELECT position, resource, error, attempts, parked_at, type, event_id, object_id
        FROM failures JOIN journal USING (position)
        WHERE resolved_at IS NULL AND position = coalesce($1, position) ORDER BY position, resource
        """,
        position,
    )
    return [Parked(*row.values()) for row in rows]


@dataclass(frozen=True, slots=True)
class Case:
    """How one resource failed to apply an entry, and what became of that."""

    resource: str
    error: str
    attempts: int
    parked_at: datetime
    resolved_at: datetime | None
    resolution: str | None


async def positions(connection: Connection, *, after: int, before: int, count: int, ascending: bool) -> list[int]:
    """Up to `count` positions of parked entries between two others, in order."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT position FROM failures WHERE resolved_at IS NULL AND position > $1 AND position < $2
        ORDER BY position {"ASC" if ascending else "DESC"} LIMIT $3
        """,
        after, before, count,
    )  # fmt: skip
    return [row["position"] for row in rows]


async def cases(connection: Connection, positions: Sequence[int]) -> dict[int, list[Case]]:
    """How the entries at these positions failed, resource by resource, also what was resolved since."""
    rows = await connection.fetch(
        """
        SELECT position, resource, error, attempts, parked_at, resolved_at, resolution
        FROM failures WHERE position = ANY($1::bigint[]) ORDER BY position, resource
        """,
        positions,
    )
    found: dict[int, list[Case]] = {}
    for position, *values in rows:
        found.setdefault(position, []).append(Case(*values))
    return found


async def count(connection: Connection) -> int:
    """How many entries are parked."""
    number: int = await connection.fetchval("SELECT count(*) FROM failures WHERE resolved_at IS NULL")
    return number


async def resolve(connection: Connection, position: int, resource: str, resolution: str) -> None:
    """Close a failure as `retried` or `skipped`."""
    await connection.execute(
        "UPDATE failures SET resolved_at = now(), resolution = $3 WHERE position = $1 AND resource = $2",
        position, resource, resolution,
    )  # fmt: skip
