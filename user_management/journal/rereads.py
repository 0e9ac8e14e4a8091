"""Rereads: objects of which an event told only a part, and which the listener is to ask WorkOS for."""

from collections.abc import Sequence
from datetime import timedelta

from asyncpg import Record
from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base
from user_management.db.session import Connection, Pool

AT_ONCE = 20
"""How many are looked up together."""


class RereadRow(Base):
    """An object that is to be read again, since the entry at `position`."""

    __tablename__ = "rereads"

    resource: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


async def ask(connection: Connection, resource: str, object_id: str, position: int) -> None:
    """Note that an object is to be read again; what was noted of it since a later entry stays."""
    await connection.execute(
        "INSERT INTO rereads (resource, id, position) VALUES ($1, $2, $3) ON CONFLICT (resource, id) "
        "DO UPDATE SET position = excluded.position WHERE rereads.position < excluded.position",
        resource, object_id, position,
    )  # fmt: skip


async def waiting(pool: Pool, behind: int) -> Sequence[Record]:
    """The next that wait, since entries behind a position."""
    async with pool.acquire() as connection:
        return await connection.fetch(
            "SELECT * FROM rereads WHERE position > $1 ORDER BY position LIMIT $2", behind, AT_ONCE
        )


async def told_within(connection: Connection, position: int, age: timedelta) -> bool:
    """Whether the entry since which something is to be read again was recorded within so long."""
    young: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM journal WHERE position = $1 AND recorded_at > clock_timestamp() - $2::interval)",
        position, age,
    )  # fmt: skip
    return young


async def done(connection: Connection, resource: str, object_id: str, position: int) -> None:
    """Strike an object off, unless a later entry told of it meanwhile."""
    await connection.execute(
        "DELETE FROM rereads WHERE resource = $1 AND id = $2 AND position = $3", resource, object_id, position
    )
