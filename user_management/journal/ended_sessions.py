"""Sessions that ended through us: WorkOS said so, and their tokens must not stay good until the feed tells it.

No word of the copy: what a session looks like, only WorkOS says. A row is forgotten once the feed must have told.
"""

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection

KEPT = "interval '24 hours'"
"""How long an end is remembered."""
SWEPT = 100
"""The most forgotten rows that one end clears away in passing."""


class EndedSessionRow(Base):
    """One ended session as stored."""

    __tablename__ = "ended_sessions"
    __table_args__ = (Index(None, "ended_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    ended_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


async def add(connection: Connection, session_id: str) -> None:
    """Remember that a session ended, and clear away some of what is no longer remembered."""
    await connection.execute("INSERT INTO ended_sessions (id) VALUES ($1) ON CONFLICT DO NOTHING", session_id)
    await connection.execute(
        f"""
        DELETE FROM ended_sessions WHERE id IN (
            SELECT id FROM ended_sessions WHERE ended_at < now() - {KEPT}
            ORDER BY ended_at LIMIT {SWEPT} FOR UPDATE SKIP LOCKED
        )
        """
    )
