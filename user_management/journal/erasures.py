"""Erasures: people whose data were taken out of the copy and its journal, and who must not come back.

Nobody's id is kept, but its digest under a key of this database: enough to know a person again when a replay or a
listing brings them, and nothing that can be looked up elsewhere.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import CheckConstraint, Integer, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db import jsontext
from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.journal.entries import Entry

ERASED = "erased"
"""The type of an entry of which nothing but its digest is left; no resource follows it."""


class ErasureRow(Base):
    """One person who was erased."""

    __tablename__ = "erasures"

    digest: Mapped[str] = mapped_column(primary_key=True)
    erased_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


class ErasureKeyRow(Base):
    """The key under which digests are made: random, of this database alone."""

    __tablename__ = "erasure_key"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default="1")
    key: Mapped[bytes] = mapped_column(LargeBinary)


def digest(key: bytes, words: str) -> str:
    """The keyed digest of an id or of an entry's text."""
    return hmac.new(key, words.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


async def key(connection: Connection) -> bytes:
    """The key of this database."""
    found: bytes = await connection.fetchval("SELECT key FROM erasure_key")
    return found


async def add(connection: Connection, object_id: str) -> None:
    """Note that a person was erased; safe to repeat."""
    await connection.execute(
        "INSERT INTO erasures (digest) VALUES ($1) ON CONFLICT DO NOTHING", digest(await key(connection), object_id)
    )


async def erased(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of some ids that were erased."""
    found = await connection.fetchval("SELECT key FROM erasure_key WHERE EXISTS (SELECT FROM erasures)")
    if found is None:
        return set()
    digests = {digest(found, one): one for one in set(ids)}
    rows = await connection.fetch("SELECT digest FROM erasures WHERE digest = ANY($1::text[])", list(digests))
    return {digests[row["digest"]] for row in rows}


SUBJECTS = ("id", "user_id", "accepted_user_id")
"""The keys of an object that say whom it is about."""


def subjects(data: Any) -> list[str]:
    """Whom an object is about."""
    found = [data.get(name) for name in SUBJECTS] if isinstance(data, dict) else []
    return [one for one in found if isinstance(one, str)]


def stub(entry: Entry, secret: bytes) -> Entry:
    """What is left of an entry about a person who was erased: that there was one, and the digest of its text."""
    body = {ERASED: digest(secret, entry.text), "event": entry.type}
    return replace(entry, type=ERASED, object_id=None, body=body, text=jsontext.dumps(body))


async def spared(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, those about people who were erased as stubs."""
    gone = await erased(connection, {one for entry in entries for one in subjects(entry.data)})
    if not gone:
        return list(entries)
    secret = await key(connection)
    return [stub(entry, secret) if gone.intersection(subjects(entry.data)) else entry for entry in entries]
