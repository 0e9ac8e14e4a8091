"""Erasures: people whose data were taken out of the copy and its journal, and who must not come back.

Nobody's id or address is kept, but their digests under a key of this database: enough to know a person again when a
replay, a listing or somebody else's event brings them, and nothing that can be looked up elsewhere.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db import jsontext
from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection
from user_management.journal.blotting import blotted, is_id, normal, tokens
from user_management.journal.entries import Entry

ERASED = "erased"
"""The type of an entry of which nothing but its digest is left; no resource follows it."""


class ErasureRow(Base):
    """One id or address of a person who was erased."""

    __tablename__ = "erasures"

    digest: Mapped[str] = mapped_column(primary_key=True)
    erased_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


class ErasureKeyRow(Base):
    """The key under which digests are made, random and of this database alone; and what is counted of erasures."""

    __tablename__ = "erasure_key"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default="1")
    key: Mapped[bytes] = mapped_column(LargeBinary)
    rewrites: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How often the journal was rewritten: who read it before still knows the person."""
    swaps: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How often a table was put in the place of another: who searched for a person before has not seen it."""


def digest(key: bytes, words: str) -> str:
    """The keyed digest of an id or of an entry's text."""
    return hmac.new(key, words.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


async def key(connection: Connection) -> bytes:
    """The key of this database."""
    found: bytes = await connection.fetchval("SELECT key FROM erasure_key")
    return found


async def rewrites(connection: Connection) -> int:
    """How often somebody was erased, repeats included: what was read of the journal before is not what it says now."""
    found: int = await connection.fetchval("SELECT rewrites FROM erasure_key")
    return found


async def count_rewrite(connection: Connection) -> None:
    """Count that somebody is erased, in the transaction that does it and holds the checkpoints."""
    await connection.execute("UPDATE erasure_key SET rewrites = rewrites + 1")


async def swaps(connection: Connection) -> int:
    """How often a table was put in the place of another, folded from the journal."""
    found: int = await connection.fetchval("SELECT swaps FROM erasure_key")
    return found


async def count_swap(connection: Connection) -> None:
    """Count that tables are put in the place of others, in the transaction that does it and holds the checkpoints."""
    await connection.execute("UPDATE erasure_key SET swaps = swaps + 1")


async def add(connection: Connection, words: Iterable[str]) -> None:
    """Note the id and the addresses of a person who is erased; safe to repeat."""
    secret = await key(connection)
    await connection.execute(
        "INSERT INTO erasures (digest) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
        [digest(secret, normal(word)) for word in words],
    )


async def erased(connection: Connection, words: Iterable[str]) -> set[str]:
    """Those of some ids and addresses that were erased."""
    secret = await connection.fetchval("SELECT key FROM erasure_key WHERE EXISTS (SELECT FROM erasures)")
    if secret is None:
        return set()
    digests = {digest(secret, normal(word)): word for word in set(words)}
    rows = await connection.fetch("SELECT digest FROM erasures WHERE digest = ANY($1::text[])", list(digests))
    return {digests[row["digest"]] for row in rows}


SUBJECTS = ("id", "user_id", "accepted_user_id", "organization_membership_id", "directory_user_id")
"""The keys of an object that say whom it is about."""
ADDRESSED = ("directory_user", "invitation", "magic_auth", "email_verification", "password_reset")
"""Objects that are about whoever has their address; a tuple, to be asked for anything."""
STAND_INS = ("organization_membership", "directory_user")
"""Objects by whose ids others name the person: a pair of a group and a membership names nobody else."""


def subjects(data: Any) -> list[str]:
    """Whom an object is about."""
    if not isinstance(data, dict):
        return []
    owner = data.get("owner")
    owned = owner.get("id") if data.get("object") == "api_key" and isinstance(owner, dict) else None
    found = [one for one in (*map(data.get, SUBJECTS), owned) if isinstance(one, str)]
    # Who is in which group of a directory is told with the whole user.
    found += subjects(data["user"]) if isinstance(data.get("user"), dict) else []
    email = data.get("email")
    return [*found, normal(email)] if data.get("object") in ADDRESSED and isinstance(email, str) else found


def stand_ins(data: Any, gone: AbstractSet[str]) -> set[str]:
    """The ids by which other objects name those who are gone, by what an object says."""
    if not isinstance(data, dict):
        return set()
    about = [one for one in (data, data.get("user")) if isinstance(one, dict) and one.get("object") in STAND_INS]
    ids = [one.get("id") for one in about if not gone.isdisjoint(subjects(one))]
    return {one for one in ids if isinstance(one, str) and is_id(one)}


def stub(entry: Entry, secret: bytes) -> Entry:
    """What is left of an entry about a person who was erased: that there was one, and the digest of its text."""
    body = {ERASED: digest(secret, entry.text), "event": entry.type}
    return replace(entry, type=ERASED, object_id=None, body=body, text=jsontext.dumps(body))


def without(entry: Entry, gone: AbstractSet[str], secret: bytes) -> Entry:
    """An entry that says nothing of people who are gone: a stub if it is about them, else with them blotted out."""
    if entry.type == ERASED:
        return entry
    if not gone.isdisjoint((*subjects(entry.data), entry.object_id or "")):
        return stub(entry, secret)
    body = blotted(entry.body, gone)
    return entry if body == entry.body else replace(entry, body=body, text=jsontext.dumps(body))


async def spared(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, saying nothing of people who were erased; what else names these from now on is remembered."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM erasures)"):
        return list(entries)
    named = {word for entry in entries for word in (*tokens(entry.text), *subjects(entry.data))}
    gone = await erased(connection, named)
    if not gone:
        return list(entries)
    more = {one for entry in entries for one in stand_ins(entry.data, gone)} - gone
    if more:
        await add(connection, more)
    secret = await key(connection)
    return [without(entry, gone | more, secret) for entry in entries]
