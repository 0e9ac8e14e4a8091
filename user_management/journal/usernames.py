"""Usernames that somebody is about to have: reserved before WorkOS is asked, until the copy tells what came of it.

WorkOS keeps a username in a user's metadata and lets two users have the same. So a name is taken if a user of the copy
has it, or if a write that may give it to one is under way. A reservation whose write ended in no answer stands until
the feed was read to an end that lies well behind it; from then on the copy knows.
"""

from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.errors import Conflict

SETTLING = "interval '60 seconds'"
"""How long after its lease a write may still reach WorkOS, and its event the feed."""
KEPT = "interval '24 hours'"
"""How long a repeat under the same key may find its own reservation."""
SWEPT = 100
"""The most forgotten rows that one reservation clears away in passing."""

SETTLED = f"leased_until + {SETTLING} < (SELECT drained_at FROM cursor)"
HELD = "SELECT FROM users WHERE username = lower({name}) AND deleted_at IS NULL"


class UsernameRow(Base):
    """A reserved username as stored: in lower case, with a token of whoever reserved it."""

    __tablename__ = "usernames"

    name: Mapped[str] = mapped_column(primary_key=True)
    claim: Mapped[str]
    leased_until: Mapped[Timestamp]


class Taken(Conflict):
    """Somebody else has the username, or is about to have it."""


async def reserve(connection: Connection, name: str, claim: str, *, user_id: str | None, seconds: float) -> None:
    """Reserve a name that nobody but this user has, for a claim whose write is under way for so long; else `Taken`.

    Whoever comes again with a claim is not asked twice: the user who has the name by now may be of its own making.
    """
    async with connection.transaction():
        if await renew(connection, name, claim, seconds=seconds):
            return
        if not await enter(connection, name, claim, seconds=seconds):
            raise Taken("another request for the name is under way, or has no outcome yet")
        # A statement after the one that waited for the other's turn: it sees what that other noted in the copy.
        if await held(connection, name, user_id=user_id):
            raise Taken("somebody has the name")
        await sweep(connection)


async def renew(connection: Connection, name: str, claim: str, *, seconds: float) -> bool:
    """Whether a claim has a reservation, which then stands for so long again."""
    renewed = await connection.execute(
        "UPDATE usernames SET leased_until = now() + make_interval(secs => $3) WHERE name = lower($1) AND claim = $2",
        name, claim, seconds,
    )  # fmt: skip
    return bool(renewed == "UPDATE 1")


async def enter(connection: Connection, name: str, claim: str, *, seconds: float) -> bool:
    """Whether the name was free of reservations, or of all but one that the copy has settled."""
    entered = await connection.execute(
        f"""
        INSERT INTO usernames (name, claim, leased_until) VALUES (lower($1), $2, now() + make_interval(secs => $3))
        ON CONFLICT (name) DO UPDATE SET claim = excluded.claim, leased_until = excluded.leased_until
        WHERE usernames.{SETTLED}
        """,
        name, claim, seconds,
    )  # fmt: skip
    return bool(entered == "INSERT 0 1")


async def held(connection: Connection, name: str, *, user_id: str | None) -> bool:
    """Whether somebody else in the copy has the name."""
    found: bool = await connection.fetchval(
        f"SELECT EXISTS ({HELD.format(name='$1')} AND id IS DISTINCT FROM $2)", name, user_id
    )  # fmt: skip
    return found


async def release(connection: Connection, name: str, claim: str, *, given: bool) -> None:
    """End a reservation: WorkOS was not asked, or refused; or the name was `given`, and the copy has noted it.

    If the copy has not, the reservation stays until the feed tells.
    """
    noted = f"AND EXISTS ({HELD.format(name='$1')})" if given else ""
    await connection.execute(f"DELETE FROM usernames WHERE name = lower($1) AND claim = $2 {noted}", name, claim)


async def sweep(connection: Connection) -> None:
    """Clear away some reservations that mean nothing any more."""
    await connection.execute(
        f"""
        DELETE FROM usernames WHERE name IN (
            SELECT name FROM usernames WHERE leased_until < now() - {KEPT} AND {SETTLED}
            LIMIT {SWEPT} FOR UPDATE SKIP LOCKED
        )
        """
    )
