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
from user_management.journal import checkpoints, entries, erasures
from user_management.journal.blotting import BLOT, blotted, is_id, normal, tokens
from user_management.mirror.engine import provisional, store
from user_management.mirror.engine.fold import Folded
from user_management.mirror.engine.resource import Resource

PATIENCE = 24 * 3600.0
"""Seconds that searching a very large journal may take; nobody waits for it."""


class NobodyThere(NotFound):
    """Neither the copy nor its journal knows such a person."""


class InTheWay(Conflict):
    """A backfill stands exactly at this person; it moves on by itself."""


@dataclass(slots=True)
class Traces:
    """Where a person is found: what names them, positions in the journal up to `head`, rows by table."""

    id: str
    words: frozenset[str]
    head: int
    positions: list[int] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    alive: bool = False


async def trace(
    connection: Connection, resources: Sequence[Resource], people: Resource, object_id: str, also: Sequence[str] = ()
) -> Traces:
    """Find a person, and whatever `also` names them, while everybody goes on; `NobodyThere` if nobody has that id."""
    if not is_id(object_id) or not await known(connection, people, object_id):
        raise NobodyThere(f"Nobody called {object_id} is known here.")
    head = (await checkpoints.read(connection))[checkpoints.HEAD]
    words = frozenset({object_id, *map(normal, also), *await addresses(connection, people, object_id)})
    found = Traces(object_id, words, head)
    found.positions = await mentions(connection, "journal", "position", words)
    for resource in resources:
        found.rows[resource.name] = await mentions(connection, resource.name, "id", words)
    row = await store.row(connection, people.name, object_id)
    found.alive = row is not None and row.deleted_at is None
    return found


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


async def addresses(connection: Connection, people: Resource, object_id: str) -> set[str]:
    """Every e-mail address a person ever had, by what the journal and the copy say."""
    records = await connection.fetch(
        f"SELECT body::text AS body FROM journal WHERE object_id = $1 "
        f"UNION ALL SELECT body::text FROM {people.name} WHERE id = $1",
        object_id, timeout=PATIENCE,
    )  # fmt: skip
    bodies = [jsontext.loads(record["body"]) for record in records]
    objects = [body.get("data", body) for body in bodies if isinstance(body, dict)]
    told = [one.get("email") for one in objects if isinstance(one, dict)]
    return {normal(email) for email in told if isinstance(email, str) and tokens(email) == {normal(email)}}


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
    """Find what has come since the person was traced: entries, and the rows they are about."""
    later = await mentions(connection, "journal", "position", found.words, "position > $1", found.head)
    touched = await connection.fetch("SELECT body::text AS body FROM journal WHERE position > $1", found.head)
    ids = sorted({word for record in touched for word in tokens(record["body"])})
    found.positions = sorted({*found.positions, *later})
    for resource in resources:
        rows = await mentions(connection, resource.name, "id", found.words, "id = ANY($1::text[])", ids)
        found.rows[resource.name] = sorted({*found.rows[resource.name], *rows})


async def rewrite(connection: Connection, found: Traces) -> None:
    """Leave stubs of the entries about the person; blot the person out of those about somebody else."""
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
    theirs = [key for key, row in rows.items() if found.id in (key, *erasures.subjects(row.body))]
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
    await connection.execute("UPDATE backfills SET after = '' WHERE after = $1 AND NOT unfinished", found.id)
    if await connection.fetchval("SELECT EXISTS (SELECT FROM backfills WHERE after = $1)", found.id):
        raise InTheWay(f"The backfill stands exactly at {found.id}: try again in a moment.")
    await connection.execute("DELETE FROM verifications WHERE reached_id = $1", found.id)
    await connection.execute("DELETE FROM backfill_seen WHERE id = $1", found.id)
    await connection.execute("DELETE FROM verified WHERE from_id = $1 OR upto_id = $1", found.id)
    await connection.execute("DELETE FROM findings WHERE object_id = $1", found.id)
    answered = await mentions(connection, "writes", "key", found.words)
    await connection.execute("DELETE FROM writes WHERE key = ANY($1::text[])", answered)


async def remains(connection: Connection, found: Traces) -> dict[str, int]:
    """How many rows of which tables still name the person: what a search of a whole dump for these words would find."""
    counts = {
        table.name: len(await mentions(connection, table.name, "1", found.words))
        for table in schema.declared().sorted_tables
    }
    return {name: count for name, count in counts.items() if count}
