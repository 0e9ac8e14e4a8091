"""The lease: of several listeners one works, and another takes over within seconds of its end."""

from sqlalchemy import CheckConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict

LONGEST = 10
"""How many times as long as one takes it for no lease lasts."""


class LeaseLost(Conflict):
    """The lease ran out before it was renewed; somebody else may be at work."""


class LeaseRow(Base):
    """The one row that says who is at work and until when, by the database's clock."""

    __tablename__ = "lease"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default="1")
    holder: Mapped[str]
    expires_at: Mapped[Timestamp]


async def take(connection: Connection, holder: str, seconds: float) -> bool:
    """Take the lease, or renew it, for so many seconds; False while somebody else holds it.

    One that would last far longer than anybody takes it for is of before the database's clock was set back.
    """
    taken = await connection.fetchval(
        """
        INSERT INTO lease (id, holder, expires_at) VALUES (1, $1, clock_timestamp() + make_interval(secs => $2))
        ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
        WHERE lease.holder = excluded.holder OR lease.expires_at < clock_timestamp()
           OR lease.expires_at > clock_timestamp() + make_interval(secs => $3)
        RETURNING holder
        """,
        holder, seconds, LONGEST * seconds,
    )  # fmt: skip
    return taken is not None


async def give_back(connection: Connection, holder: str) -> None:
    """Let the next listener in at once."""
    await connection.execute("DELETE FROM lease WHERE holder = $1", holder)


async def holder(connection: Connection) -> str | None:
    """Who is at work; None when nobody is."""
    name: str | None = await connection.fetchval("SELECT holder FROM lease WHERE expires_at >= clock_timestamp()")
    return name
