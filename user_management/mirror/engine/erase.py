"""Erasing a person: out of the mirror and out of the journal, so that neither a replay nor a listing brings them back.

An entry about the person leaves a stub behind: that there was one, and a keyed digest of its text. In entries and rows
about somebody else, what names the person is blotted out, alike in both, so that mirror == fold(journal) still holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from user_management.db import jsontext, schema
from user_management.db.session import Connection
from user_management.errors import Conflict, NotFound
from user_management.journal import checkpoints, entries, erasures, writes
from user_management.journal.blotting import BLOT, blotted, is_id, normal, tokens
from user_management.mirror.engine import provisional, store
from user_management.mirror.engine.fold import Folded
from user_management.mirror.engine.resource import Resource

PATIENCE = 24 * 3600.0
"""Seconds that searching a very large journal may take; nobody waits for it."""


PLACES = {
    "verifications": "reached_id = ANY($1::text[]) OR partition = ANY($1::text[])",
    "backfill_seen": "id = ANY($1::text[])",
    "verified": "from_id = ANY($1::text[]) OR upto_id = ANY($1::text[]) OR partition = ANY($1::text[])",
}
"""Where runs note whom they passed by."""


class NobodyThere(NotFound):
    """Neither the copy nor its journal knows such a person."""


class InTheWay(Conflict):
    """A backfill stands exactly at this person; it moves on by itself."""


@dataclass(slots=True)
class Traces:
    """Where a person is found: what names them, positions in the journal up to `head`, rows by table.

    The rows are those of the tables after so many `swaps`.
    """

    id: str
    words: frozenset[str]
    head: int
    swaps: int
    positions: list[int] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    alive: bool = False
    usernames: set[str] = field(default_factory=set)


async def trace(
    connection: Connection, resources: Sequence[Resource], people: Resource, object_id: str, also: Sequence[str] = ()
) -> Traces:
    """Find a person, and whatever `also` names them, while everybody goes on; `NobodyThere` if nobody has that id."""
    if not is_id(object_id) or not await known(connection, people, object_id):
        raise NobodyThere(f"Nobody called {object_id} is known here.")
    head, swaps = (await checkpoints.read(connection))[checkpoints.HEAD], await erasures.swaps(connection)
    told = await said(connection, people, object_id)
    words = frozenset({object_id, *map(normal, also), *addresses(told)})
    found = Traces(object_id, words, head, swaps, usernames=usernames(told))
    await search(connection, resources, found, words)
    if more := await stand_ins(connection, found, found.positions):
        found.words |= more
        await search(connection, resources, found, more)
    row = await store.row(connection, people.name, object_id)
    found.alive = row is not None and row.deleted_at is None
    return found


async def search(connection: Connection, resources: Sequence[Resource], found: Traces, words: frozenset[str]) -> None:
    """Note every entry and every row in which one of some words stands, beside those noted before."""
    found.positions = sorted({*found.positions, *await mentions(connection, "journal", "position", words)})
    for resource in resources:
        rows = await mentions(connection, resource.name, "id", words)
        found.rows[resource.name] = sorted({*found.rows.get(resource.name, ()), *rows})


async def stand_ins(connection: Connection, found: Traces, positions: Sequence[int]) -> frozenset[str]:
    """The ids that name the person to others and were not known yet, by what some entries and the rows say."""
    read = [await entries.get(connection, position) for position in positions]
    told = [entry.data for entry in read if entry is not None]
    for name, keys in found.rows.items():
        told += [row.body for row in (await store.rows(connection, name, keys)).values()]
    return frozenset(one for data in told for one in erasures.stand_ins(data, found.words)) - found.words


async def known(connection: Connection, people: Resource, object_id: str) -> bool:
    """Whether there is, was, or was erased a person of this id."""
    if await erasures.erased(connection, [object_id]):
        return True
    found: bool = await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {people.name} WHERE id = $1) OR EXISTS "
        "(SELECT FROM journal WHERE object_id = $1 AND type LIKE $2)",
        object_id, f"{people.object}.%",
    )  # fmt: skip
    return found


async def said(connection: Connection, people: Resource, object_id: str) -> list[dict[str, Any]]:
    """A person at every time, by what the journal and the copy say."""
    records = await connection.fetch(
        f"SELECT body::text AS body FROM journal WHERE object_id = $1 "
        f"UNION ALL SELECT body::text FROM {people.name} WHERE id = $1",
        object_id, timeout=PATIENCE,
    )  # fmt: skip
    bodies = [jsontext.loads(record["body"]) for record in records]
    objects = [body.get("data", body) for body in bodies if isinstance(body, dict)]
    return [one for one in objects if isinstance(one, dict)]


def addresses(told: Sequence[dict[str, Any]]) -> set[str]:
    """Every e-mail address a person ever had."""
    emails = [one.get("email") for one in told]
    return {normal(email) for email in emails if isinstance(email, str) and tokens(email) == {normal(email)}}


def usernames(told: Sequence[dict[str, Any]]) -> set[str]:
    """Every username a person ever had, as they are reserved."""
    kept = [one["metadata"].get("username") for one in told if isinstance(one.get("metadata"), dict)]
    return {name.lower() for name in kept if isinstance(name, str) and "\0" not in name}


async def mentions(
    connection: Connection, table: str, key: str, words: frozenset[str], where: str = "true", *values: Any
) -> list[Any]:
    """The keys of the rows in which one of some words may stand, whatever its case; a closer look decides."""
    records = await connection.fetch(
        f"SELECT {key} AS key, one::text AS text FROM {table} one WHERE {where} AND EXISTS "
        f"(SELECT FROM unnest(${len(values) + 1}::text[]) word WHERE position(lower(word) IN lower(one::text)) > 0) "
        "ORDER BY 1",
        *values, sorted(words), timeout=PATIENCE,
    )  # fmt: skip
    return [record["key"] for record in records if not words.isdisjoint(tokens(plain(record["text"])))]


def plain(text: str) -> str:
    """The text of a row as PostgreSQL prints it, without the quotes it doubles."""
    return text.replace('""', '"')


async def erase(connection: Connection, resources: Sequence[Resource], found: Traces) -> None:
    """Erase a person who was traced, in the caller's transaction, which holds up every writer; safe to repeat."""
    await checkpoints.lock(connection)
    async with provisional.lifted(connection):
        await catch_up(connection, resources, found)
        await erasures.add(connection, found.words)
        await forget_places(connection, found)
        await rewrite(connection, found)
        for resource in resources:
            await forget_rows(connection, resource, found)


async def catch_up(connection: Connection, resources: Sequence[Resource], found: Traces) -> None:
    """Find what has come since the person was traced: entries, and the rows they are about; all, in other tables."""
    if found.swaps != await erasures.swaps(connection):
        await search(connection, resources, found, found.words)
    later = await mentions(connection, "journal", "position", found.words, "position > $1", found.head)
    if more := await stand_ins(connection, found, later):
        found.words |= more
        later = await mentions(connection, "journal", "position", found.words, "position > $1", found.head)
    touched = await connection.fetch("SELECT body::text AS body FROM journal WHERE position > $1", found.head)
    ids = sorted({word for record in touched for word in tokens(record["body"])})
    found.positions = sorted({*found.positions, *later})
    for resource in resources:
        rows = await mentions(connection, resource.name, "id", found.words, "id = ANY($1::text[])", ids)
        found.rows[resource.name] = sorted({*found.rows[resource.name], *rows})


async def rewrite(connection: Connection, found: Traces) -> None:
    """Leave stubs of the entries about the person; blot the person out of those about somebody else."""
    await erasures.count_rewrite(connection)
    secret = await erasures.key(connection)
    read = [await entries.get(connection, position) for position in found.positions]
    clean = [erasures.without(entry, found.words, secret) for entry in read if entry is not None]
    await connection.executemany(
        "UPDATE journal SET type = $2, object_id = $3, body = $4::text::json WHERE position = $1",
        [(entry.position, entry.type, entry.object_id, entry.text) for entry in clean],
    )
    await connection.execute(
        "DELETE FROM failures WHERE position = ANY($1::bigint[])",
        [entry.position for entry in clean if entry.type == erasures.ERASED],
    )
    await connection.execute(
        "UPDATE failures SET error = $2 WHERE position = ANY($1::bigint[])", found.positions, BLOT
    )  # fmt: skip


async def forget_rows(connection: Connection, resource: Resource, found: Traces) -> None:
    """Delete the rows about a person; blot the person out of other rows."""
    rows = await store.rows(connection, resource.name, found.rows[resource.name])
    theirs = [key for key, row in rows.items() if not found.words.isdisjoint((key, *erasures.subjects(row.body)))]
    await connection.execute(f"DELETE FROM {resource.name} WHERE id = ANY($1::text[])", theirs)
    folded = Folded({})
    for key, row in rows.items():
        body = blotted(row.body, found.words)
        if key not in theirs and body != row.body:
            folded.rows[key] = replace(row, body=body)
            folded.changed.add(key)
    await store.write(connection, resource, folded, resource.name)


async def forget_places(connection: Connection, found: Traces) -> None:
    """Forget that runs passed by the person; `InTheWay` while a backfill stands exactly there."""
    pairs = {key for keys in found.rows.values() for key in keys if not found.words.isdisjoint(tokens(key))}
    names = sorted(found.words | pairs)
    there = "(after = ANY($1::text[]) OR partition = ANY($1::text[]))"
    await connection.execute(f"UPDATE backfills SET after = '', partition = '' WHERE {there} AND NOT unfinished", names)
    if await connection.fetchval(f"SELECT EXISTS (SELECT FROM backfills WHERE {there})", names):
        raise InTheWay(f"The backfill stands exactly at {found.id}: try again in a moment.")
    for table, condition in PLACES.items():
        await connection.execute(f"DELETE FROM {table} WHERE {condition}", names)
    noted = await mentions(connection, "findings", "object_id", found.words)
    await connection.execute("DELETE FROM findings WHERE object_id = ANY($1::text[])", noted)
    await connection.execute("DELETE FROM soft_deletions WHERE user_id = $1", found.id)
    await connection.execute("DELETE FROM usernames WHERE name = ANY($1::text[])", sorted(found.usernames))
    await forget_answers(connection, found)


async def forget_answers(connection: Connection, found: Traces) -> None:
    """Forget what was answered about the person; of sealed answers nobody can see whom they are about: all of them.

    They serve repeats alone. Their outcome is not known any more: a repeat looks for it, and does nothing twice.
    """
    answered = await mentions(connection, "writes", "key", found.words)
    await connection.execute("DELETE FROM writes WHERE key = ANY($1::text[])", answered)
    await writes.unanswer(connection)


async def remains(connection: Connection, found: Traces) -> dict[str, int]:
    """How many rows of which tables still name the person: what a search of a whole dump for these words would find."""
    counts = {
        table.name: len(await mentions(connection, table.name, "1", found.words))
        for table in schema.declared().sorted_tables
    }
    return {name: count for name, count in counts.items() if count}
