"""Checkpoints: how far the journal reaches and how far each resource has applied it.

Every writer locks them first. That serialises appends, so positions commit in order and a reader that follows
`position > n` can never miss one.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base
from user_management.db.session import Connection

HEAD = "journal"
"""The checkpoint that says how far the journal itself reaches."""


class CheckpointRow(Base):
    """The last position a resource (or the journal itself) has reached."""

    __tablename__ = "checkpoints"

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


async def lock(connection: Connection) -> dict[str, int]:
    """Every checkpoint, held until the transaction ends."""
    rows = await connection.fetch("SELECT name, position FROM checkpoints ORDER BY name FOR UPDATE")
    return {row["name"]: row["position"] for row in rows}


async def read(connection: Connection) -> dict[str, int]:
    """Every checkpoint, without waiting for anybody."""
    return {row["name"]: row["position"] for row in await connection.fetch("SELECT name, position FROM checkpoints")}


async def move(connection: Connection, *, old: int, new: int) -> None:
    """Move the journal and every resource that had applied all of it from `old` to `new`."""
    await connection.execute("UPDATE checkpoints SET position = $2 WHERE position = $1", old, new)


async def place(connection: Connection, name: str, position: int) -> None:
    """Set one checkpoint, after its resource was folded up to there."""
    await connection.execute("UPDATE checkpoints SET position = $2 WHERE name = $1", name, position)


async def ensure(connection: Connection, names: Iterable[str]) -> None:
    """Give every name a checkpoint; a new one starts before the first entry."""
    await connection.execute(
        "INSERT INTO checkpoints (name, position) SELECT name, 0 FROM unnest($1::text[]) name ON CONFLICT DO NOTHING",
        [HEAD, *names],
    )
