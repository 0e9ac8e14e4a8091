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
from user_management.mirror.engine import provisional, store
from user_management.mirror.engine.fold import Folded
from user_management.mirror.engine.resource import Resource

PATIENCE = 24 * 3600.0
"""Seconds that searching a very large journal may take."""
BLOT = "[erased]"


class NobodyThere(NotFound):
    """Neither the copy nor its journal knows such a person."""


class InTheWay(Conflict):
    """A backfill stands exactly at this person; it moves on by itself."""


@dataclass(slots=True)
class Traces:
    """Where a person is found: the words that name them, the positions in the journal, the rows, by table."""

    id: str
    words: tuple[str, ...]
    positions: list[int] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    alive: bool = False


async def trace(connection: Connection, resources: Sequence[Resource], people: Resource, object_id: str) -> Traces:
    """Find a person; `NobodyThere` if there is no trace of them."""
    words = (object_id, *await addresses(connection, people, object_id))
    found = Traces(object_id, words)
    found.positions = await mentions(connection, "journal", "position", words)
    for resource in resources:
        found.rows[resource.name] = await mentions(connection, resource.name, "id", words)
    row = (await store.rows(connection, people.name, [object_id])).get(object_id)
    found.alive = row is not None and row.deleted_at is None
    if not found.positions and row is None:
        raise NobodyThere(f"Nobody called {object_id} is known here.")
    return found


async def addresses(connection: Connection, people: Resource, object_id: str) -> list[str]:
    """Every e-mail address a person ever had, by what the journal and the copy say."""
    records = await connection.fetch(
        f"""
        SELECT DISTINCT address FROM (
          SELECT coalesce(body->'data'->>'email', body->>'email') FROM journal WHERE object_id = $1
          UNION ALL SELECT body->>'email' FROM {people.name} WHERE id = $1) found (address)
        WHERE address LIKE '%@%'
        """,
        object_id, timeout=PATIENCE,
    )  # fmt: skip
    return sorted({record["address"].lower() for record in records})


async def mentions(connection: Connection, table: str, key: str, words: Sequence[str]) -> list[Any]:
    """The keys of the rows in which one of some words stands, whatever its case."""
    records = await connection.fetch(
        f"SELECT {key} AS key FROM {table} one WHERE EXISTS (SELECT FROM unnest($1::text[]) word "
        f"WHERE position(lower(word) IN lower(one::text)) > 0) ORDER BY 1",
        list(words), timeout=PATIENCE,
    )  # fmt: skip
    return [record["key"] for record in records]


async def erase(connection: Connection, resources: Sequence[Resource], people: Resource, object_id: str) -> Traces:
    """Erase a person, in the caller's transaction, which holds every writer up; safe to repeat."""
    await checkpoints.lock(connection)
    async with provisional.lifted(connection):
        found = await trace(connection, resources, people, object_id)
        await erasures.add(connection, object_id)
        await forget_places(connection, found)
        others = await namesakes(connection, people, found)
        for position in found.positions:
            await rewrite(connection, position, found, others)
        for resource in resources:
            await forget_rows(connection, resource, found, others)
    return found


async def namesakes(connection: Connection, people: Resource, found: Traces) -> set[str]:
    """Other people with one of the same addresses: an address that was freed is theirs now, and stays."""
    records = await connection.fetch(
        f"SELECT id FROM {people.name} WHERE lower(body->>'email') = ANY($1::text[]) AND id <> $2",
        list(found.words), found.id,
    )  # fmt: skip
    return {record["id"] for record in records}


async def rewrite(connection: Connection, position: int, found: Traces, others: set[str]) -> None:
    """Leave a stub of an entry about the person; blot the person out of an entry about somebody else."""
    entry = await entries.get(connection, position)
    if entry is None:
        return
    about = erasures.subjects(entry.data)
    if found.id in (*about, entry.object_id):
        entry = erasures.stub(entry, await erasures.key(connection))
        await connection.execute("DELETE FROM failures WHERE position = $1", position)
    else:
        body = blotted(entry.body, found.id if others.intersection(about) else found.words)
        entry = replace(entry, body=body, text=jsontext.dumps(body))
        await connection.execute("UPDATE failures SET error = $2 WHERE position = $1", position, BLOT)
    await connection.execute(
        "UPDATE journal SET type = $2, object_id = $3, body = $4::text::json WHERE position = $1",
        position, entry.type, entry.object_id, entry.text,
    )  # fmt: skip


async def forget_rows(connection: Connection, resource: Resource, found: Traces, others: set[str]) -> None:
    """Delete the rows about a person; blot the person out of other rows."""
    rows = await store.rows(connection, resource.name, found.rows[resource.name])
    theirs = [key for key, row in rows.items() if found.id in (key, *erasures.subjects(row.body))]
    await connection.execute(f"DELETE FROM {resource.name} WHERE id = ANY($1::text[])", theirs)
    kept = {key: row for key, row in rows.items() if key not in theirs}
    folded = Folded({}, changed=set(kept))
    for key, row in kept.items():
        body = blotted(row.body, found.id if others.intersection(erasures.subjects(row.body)) else found.words)
        folded.rows[key] = replace(row, body=body)
    await store.write(connection, resource, folded, resource.name)


def blotted(value: Any, words: str | Sequence[str]) -> Any:
    """A value in which nothing names the person: not their id, not their addresses, no object that bears their id."""
    terms = (words,) if isinstance(words, str) else tuple(words)
    if isinstance(value, dict):
        if value.get("id") in terms:
            return {"id": BLOT}
        return {key: blotted(item, terms) for key, item in value.items()}
    if isinstance(value, list):
        return [blotted(item, terms) for item in value]
    hit = isinstance(value, str) and any(term.lower() in value.lower() for term in terms)
    return BLOT if hit else value


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
    """How many rows of which tables still name the person: what a search of a whole dump would find."""
    counts = {
        table.name: len(await mentions(connection, table.name, "1", found.words))
        for table in schema.declared().sorted_tables
    }
    return {name: count for name, count in counts.items() if count}
