"""Soft deletions: which memberships of a user were deactivated with it, so that a restore reactivates exactly these.

A row is written before the first membership is touched and kept until the user is restored. Whoever works on it holds a
lease: two who delete and restore the same user do so one after the other, and after a crash the next goes on.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ARRAY, Text
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict

MARK = "deleted_at"
"""The key in WorkOS's metadata that says since when a user is soft deleted."""


class SoftDeletionRow(Base):
    """One soft deletion as stored."""

    __tablename__ = "soft_deletions"

    user_id: Mapped[str] = mapped_column(primary_key=True)
    memberships: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    owner: Mapped[str]
    leased_until: Mapped[Timestamp]


@dataclass(frozen=True, slots=True)
class Held:
    """The right to work on a user, and which memberships are to come back to it."""

    user_id: str
    owner: str
    memberships: tuple[str, ...]


class Busy(Conflict):
    """Somebody else is deleting or restoring this user."""


async def hold(connection: Connection, user_id: str, *, seconds: float) -> Held:
    """The right to work on a user for so long; `Busy` while somebody else has it."""
    owner = secrets.token_hex(16)
    noted = await connection.fetchval(
        """
        INSERT INTO soft_deletions (user_id, owner, leased_until) VALUES ($1, $2, now() + make_interval(secs => $3))
        ON CONFLICT (user_id) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
        WHERE soft_deletions.leased_until <= now()
        RETURNING memberships
        """,
        user_id, owner, seconds,
    )  # fmt: skip
    if noted is None:
        raise Busy("the user is being deleted or restored by another request")
    return Held(user_id, owner, tuple(noted))


async def remember(connection: Connection, held: Held, memberships: Iterable[str], *, seconds: float) -> None:
    """Note memberships that are about to be deactivated, beside those noted before."""
    done = await connection.execute(
        """
        UPDATE soft_deletions SET leased_until = now() + make_interval(secs => $4),
            memberships = ARRAY(SELECT DISTINCT unnest(memberships || $3::text[]) ORDER BY 1)
        WHERE user_id = $1 AND owner = $2
        """,
        held.user_id, held.owner, list(memberships), seconds,
    )  # fmt: skip
    still_held(done)


async def forget_membership(connection: Connection, held: Held, membership: str, *, seconds: float) -> None:
    """Note that a membership has come back: it is not for a later restore any more."""
    done = await connection.execute(
        """
        UPDATE soft_deletions SET leased_until = now() + make_interval(secs => $4),
            memberships = array_remove(memberships, $3)
        WHERE user_id = $1 AND owner = $2
        """,
        held.user_id, held.owner, membership, seconds,
    )  # fmt: skip
    still_held(done)


def still_held(done: str) -> None:
    """Stop whoever was too slow and lost the user to somebody else."""
    if done != "UPDATE 1":
        raise Busy("another request has taken over the user")


async def let_go(connection: Connection, held: Held) -> None:
    """Let others work on the user."""
    await connection.execute(
        "UPDATE soft_deletions SET leased_until = now() WHERE user_id = $1 AND owner = $2", held.user_id, held.owner
    )  # fmt: skip


async def forget(connection: Connection, held: Held) -> None:
    """Forget a soft deletion that is undone."""
    await connection.execute("DELETE FROM soft_deletions WHERE user_id = $1 AND owner = $2", held.user_id, held.owner)
