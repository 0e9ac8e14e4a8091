"""Writes: the ledger of what callers asked for under an `Idempotency-Key`, so that asking twice does it once.

A row holds who is at work (`owner`, until `leased_until`) and, in the end, the answer as it was given. Of the request
it holds a keyed digest only: whoever reads the table can neither read nor guess what was sent.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db import jsontext
from user_management.db.base import Base, Timestamp, Verbatim
from user_management.db.session import Connection

KEPT = "interval '24 hours'"
"""How long a key is remembered."""
SEALED = "sealed:"
"""What the body of an answer begins with that tells secrets, which no JSON does: it is encrypted."""
SWEPT = 100
"""The most forgotten rows that one write clears away in passing."""


class State(StrEnum):
    """What is known of a write: it is at work, or nobody knows what came of it, or it has its answer."""

    BEGUN = "begun"
    UNKNOWN = "unknown"
    DONE = "done"


class WriteRow(Base):
    """One write as stored."""

    __tablename__ = "writes"
    __table_args__ = (Index(None, "began_at"), Index(None, "object_id", postgresql_where="object_id IS NOT NULL"))

    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    digest: Mapped[str]
    state: Mapped[str]
    owner: Mapped[str]
    began_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    leased_until: Mapped[Timestamp]
    ended_at: Mapped[Timestamp | None]
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[Verbatim | None]
    body: Mapped[str | None]
    object_id: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: the caller's key, the method and path, and the keyed digest of the rest."""

    key: str
    request: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it is given: status, the headers that matter, and the body without secrets."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to do a write: since when it is tried, and whether somebody may have done it already."""

    key: str
    owner: str
    began_at: datetime
    tried: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A write as the ledger has it; `held` is how many seconds its owner has left."""

    request: Request
    state: State
    owner: str
    began_at: datetime
    held: float
    expired: bool
    reply: Reply | None

    @property
    def free(self) -> bool:
        """Whether somebody else may take it over: nobody is at work, and there is no answer yet."""
        return self.state is State.UNKNOWN or (self.state is State.BEGUN and self.held <= 0)


async def claim(connection: Connection, asked: Request, *, seconds: float) -> Turn | None:
    """The turn of whoever comes first with a key, for so many seconds; None for everybody else."""
    owner = secrets.token_hex(16)
    began_at = await connection.fetchval(
        """
        INSERT INTO writes (key, request, digest, state, owner, leased_until)
        VALUES ($1, $2, $3, 'begun', $4, now() + make_interval(secs => $5)) ON CONFLICT (key) DO NOTHING
        RETURNING began_at
        """,
        asked.key, asked.request, asked.digest, owner, seconds,
    )  # fmt: skip
    if began_at is None:
        return None
    await sweep(connection)
    return Turn(asked.key, owner, began_at, tried=False)


async def sweep(connection: Connection) -> None:
    """Clear away some of what is no longer remembered; two who sweep do not wait for each other."""
    await connection.execute(
        f"""
        DELETE FROM writes WHERE key IN (
            SELECT key FROM writes WHERE began_at < now() - {KEPT}
            ORDER BY began_at LIMIT {SWEPT} FOR UPDATE SKIP LOCKED
        )
        """
    )


async def standing(connection: Connection, key: str) -> Standing | None:
    """What the ledger has under a key."""
    row = await connection.fetchrow(
        f"""
        SELECT key, request, digest, state, owner, began_at, status, headers, body,
            began_at < now() - {KEPT} AS expired, extract(epoch FROM leased_until - now())::float8 AS held
        FROM writes WHERE key = $1
        """,
        key,
    )
    if row is None:
        return None
    done = row["status"] is not None
    reply = Reply(row["status"], jsontext.loads(row["headers"]), row["body"]) if done else None
    asked = Request(row["key"], row["request"], row["digest"])
    return Standing(asked, State(row["state"]), row["owner"], row["began_at"], row["held"], row["expired"], reply)


async def take_over(connection: Connection, found: Standing, *, seconds: float) -> Turn | None:
    """The turn at a write that nobody is at work on any more; None when somebody was quicker."""
    owner = secrets.token_hex(16)
    began_at = await connection.fetchval(
        """
        UPDATE writes SET state = 'begun', owner = $3, leased_until = now() + make_interval(secs => $4)
        WHERE key = $1 AND owner = $2 AND (state = 'unknown' OR (state = 'begun' AND leased_until <= now()))
        RETURNING began_at
        """,
        found.request.key, found.owner, owner, seconds,
    )  # fmt: skip
    return None if began_at is None else Turn(found.request.key, owner, began_at, tried=True)


async def forget_expired(connection: Connection, key: str) -> None:
    """Let a key be used again whose time is over."""
    await connection.execute(f"DELETE FROM writes WHERE key = $1 AND began_at < now() - {KEPT}", key)


async def finish(
    connection: Connection, turn: Turn, reply: Reply, *, object_id: str | None = None, sure: bool = False
) -> bool:
    """Keep the answer; whether it is kept. That an object was made (`sure`) holds whoever is at work by now."""
    done = await connection.execute(
        """
        UPDATE writes SET state = 'done', status = $4, headers = $5, body = $6, object_id = $7, ended_at = now()
        WHERE key = $1 AND began_at = $2 AND state <> 'done' AND ($8 OR owner = $3)
        """,
        turn.key, turn.began_at, turn.owner, reply.status, jsontext.dumps(dict(reply.headers)), reply.body, object_id,
        sure,
    )  # fmt: skip
    return bool(done == "UPDATE 1")


async def leave(connection: Connection, turn: Turn, *, undone: bool) -> None:
    """Give the turn back without an answer: as never asked if nothing was ever done, else as not known."""
    if undone and not turn.tried:
        statement = "DELETE FROM writes"
    else:
        statement = "UPDATE writes SET state = 'unknown', ended_at = now()"
    await connection.execute(f"{statement} WHERE key = $1 AND owner = $2 AND state = 'begun'", turn.key, turn.owner)


async def foreign(connection: Connection, object_id: str, *, since: datetime) -> bool:
    """Whether an object cannot come of a write begun at `since`: it was known before, or another write made it."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM journal WHERE object_id = $1 AND (recorded_at < $2 OR lane = 'reply'))
            OR EXISTS (SELECT FROM writes WHERE object_id = $1)
        """,
        object_id, since,
    )  # fmt: skip
    return found


async def forget(connection: Connection, object_id: str) -> None:
    """Forget the writes that made an object, and what was answered to them."""
    await connection.execute("DELETE FROM writes WHERE object_id = $1", object_id)


async def unanswer(connection: Connection) -> None:
    """Forget every sealed answer, but not that it was asked for: a repeat is told, or finds out, what came of it."""
    await connection.execute(
        "UPDATE writes SET state = 'unknown', status = NULL, headers = NULL, body = NULL, object_id = NULL "
        "WHERE starts_with(body, $1)",
        SEALED,
    )
