"""Rebuilding: the journal folded again beside the live table, compared with it, and its rows swapped in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from user_management.db.session import Connection, Pool
from user_management.journal import checkpoints, entries, erasures, webhooks
from user_management.journal.entries import Entry
from user_management.mirror.engine import catalog, provisional, store
from user_management.mirror.engine.apply import Unstorable, apply_all
from user_management.mirror.engine.resource import SHARED_COLUMNS, Resource
from user_management.mirror.engine.verbs import Verb, tombstone, unlink

T = TypeVar("T")

PATIENCE = 24 * 3600.0
"""Seconds that comparing and swapping a very large table may take."""
ENDS = (tombstone, unlink)
ATTEMPTS = 3
"""Times the journal is folded without holding anybody up, should people be erased meanwhile; then all have to wait."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is: the position folded and the position it is going to."""

    position: int
    head: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How a live table differed from its journal: rows it lacked, rows it had too many, rows that were other."""

    resource: str
    missing: int
    extra: int
    different: int

    @property
    def total(self) -> int:
        """How many rows were not as the journal says."""
        return self.missing + self.extra + self.different


def beside(resource: Resource) -> str:
    """The name of the table a resource is rebuilt in."""
    return f"rebuilt_{resource.name}"


def stand_ins(resources: Sequence[Resource]) -> dict[str, str]:
    """What is read instead of each table: those beside, and the confirmed ends of parents that are not rebuilt."""
    parents = {cascade.parent for resource in resources for cascade in resource.cascades}
    ends = {store.ends_of(name): provisional.confirmed_ends(name) for name in parents - {one.name for one in resources}}
    return ends | {resource.name: beside(resource) for resource in resources}


async def prepare(connection: Connection, resources: Sequence[Resource]) -> None:
    """Make an empty table beside each live one; temporary, so that a rebuild that dies leaves nothing behind."""
    for resource in resources:
        await connection.execute(f"DROP TABLE IF EXISTS pg_temp.{beside(resource)}")
        await connection.execute(
            f"CREATE TEMPORARY TABLE {beside(resource)} (LIKE {resource.name} INCLUDING DEFAULTS INCLUDING INDEXES)"
        )


async def catch_up(
    connection: Connection, resources: Sequence[Resource], *, after: int, until: int
) -> AsyncIterator[int]:
    """Fold the journal from `after` up to `until` into the tables beside; yields each position reached."""
    tables = stand_ins(resources)
    types = sorted({type_ for resource in resources for type_ in resource.verbs})
    async for batch in entries.read(connection, after=after, until=until, types=types):
        await write(connection, resources, batch, tables)
        yield batch[-1].position


async def write(
    connection: Connection, resources: Sequence[Resource], batch: Sequence[Entry], tables: dict[str, str]
) -> None:
    """Fold and write a batch; if PostgreSQL refuses it, entry by entry, leaving out what it refused the first time."""
    try:
        async with connection.transaction():
            await apply_all(connection, resources, batch, tables)
    except Unstorable:
        for entry in batch:
            with suppress(*Unstorable):
                async with connection.transaction():
                    await apply_all(connection, resources, [entry], tables)


def comparison(resource: Resource) -> str:
    """SQL: how many rows the live table lacks, has too many and has otherwise than the rebuilt one, byte by byte."""
    columns = ", ".join(column for column in (*SHARED_COLUMNS[1:-1], *resource.columns, "body::text"))
    return f"""
        SELECT count(*) FILTER (WHERE live.id IS NULL) AS missing,
               count(*) FILTER (WHERE rebuilt.id IS NULL) AS extra,
               count(*) FILTER (WHERE live.id IS NOT NULL AND rebuilt.id IS NOT NULL) AS different
        FROM (SELECT id, md5(ROW({columns})::text) AS digest FROM {resource.name}) live
        FULL JOIN (SELECT id, md5(ROW({columns})::text) AS digest FROM {beside(resource)}) rebuilt USING (id)
        WHERE live.digest IS DISTINCT FROM rebuilt.digest
        """


async def compare(connection: Connection, resource: Resource) -> Difference:
    """How the live table differs from the rebuilt one."""
    row = await connection.fetchrow(comparison(resource), timeout=PATIENCE)
    assert row is not None  # noqa: S101  an aggregate without GROUP BY always answers one row
    return Difference(resource.name, *row.values())


async def replace_rows(connection: Connection, resource: Resource) -> None:
    """Give the live table the rebuilt rows, leaving alone those that are equal.

    Rows are swapped and not tables: views, grants and plans that others built on the live table stay valid.
    """
    names = (*SHARED_COLUMNS, *resource.columns)
    columns, same = ", ".join(names), ", ".join(name if name != "body" else "body::text" for name in names)
    await connection.execute(
        f"DELETE FROM {resource.name} live WHERE NOT EXISTS (SELECT FROM {beside(resource)} r WHERE r.id = live.id "
        f"AND ROW({prefixed(same, 'r')}) IS NOT DISTINCT FROM ROW({prefixed(same, 'live')}))",
        timeout=PATIENCE,
    )
    await connection.execute(
        f"INSERT INTO {resource.name} ({columns}) SELECT {columns} FROM {beside(resource)} ON CONFLICT (id) DO NOTHING",
        timeout=PATIENCE,
    )


def prefixed(columns: str, table: str) -> str:
    """The columns, each of the given table."""
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


def rebuild(pool: Pool, resources: Sequence[Resource], *, swap: bool = True) -> AsyncIterator[Progress | Difference]:
    """Fold the whole journal again, compare and swap; yields progress, then one difference for each resource.

    Without `swap` it only compares.
    """
    return folded(pool, resources, settle if swap else compare, swap=swap)


async def folded(
    pool: Pool, resources: Sequence[Resource], judge: Callable[[Connection, Resource], Awaitable[T]], *, swap: bool
) -> AsyncIterator[Progress | T]:
    """Fold the whole journal beside the live tables; yields progress, then what `judge` says of each resource.

    What only webhooks told is no part of the fold: it is lifted from the live tables for the swap, and laid over both
    for a mere comparison. A parent that is not rebuilt with its children stands in with its live table: its ends carry
    the positions they had, so that children end where they did. The journal is folded without holding anybody up; only
    the last entries, the comparison and the swap keep writers waiting. Reads go on throughout. If somebody was erased
    meanwhile, what was folded still knows them: it is dropped, and the journal is folded again.
    """
    async with pool.acquire() as connection:
        for attempt in range(1, ATTEMPTS + 1):
            head, rewrites = 0, await erasures.rewrites(connection)
            async for step in freely(connection, resources):
                head = step.head
                yield step
            async with connection.transaction():
                last = (await checkpoints.lock(connection))[checkpoints.HEAD]
                if rewrites != await erasures.rewrites(connection):
                    if attempt < ATTEMPTS:
                        continue
                    head = 0
                    await prepare(connection, resources)
                async for _ in catch_up(connection, resources, after=head, until=last):
                    pass
                await end_orphans(connection, resources)
                async with laid_alike(connection, resources, swap=swap):
                    for resource in resources:
                        yield await judge(connection, resource)
            return


async def freely(connection: Connection, resources: Sequence[Resource]) -> AsyncIterator[Progress]:
    """Fold the journal, as far as it reaches now, into empty tables beside the live ones; nobody waits for it."""
    await prepare(connection, resources)
    head = (await checkpoints.read(connection))[checkpoints.HEAD]
    async for position in catch_up(connection, resources, after=0, until=head):
        yield Progress(position, head)
    yield Progress(head, head)


async def end_orphans(connection: Connection, resources: Sequence[Resource]) -> None:
    """End what ended with a parent that is not rebuilt and was born under an end: no event of theirs tells of that."""
    alone = [(one, cascade) for one in resources for cascade in one.cascades if not cascade.through]
    for resource, cascade in alone:
        parent = catalog.by_name(cascade.parent)
        if parent is None or parent in resources:
            continue
        words = [type_ for type_, verb in parent.verbs.items() if isinstance(verb, Verb) and verb not in ENDS]
        await connection.execute(
            f"UPDATE {beside(resource)} child SET deleted_at = confirmed.deleted_at "
            f"FROM {provisional.confirmed_ends(parent.name)} JOIN journal USING (position) "
            f"WHERE child.{cascade.by} = confirmed.id AND child.deleted_at IS NULL "
            "AND confirmed.deleted_at IS NOT NULL AND journal.type = ANY($1::text[])",
            words, timeout=PATIENCE,
        )  # fmt: skip


@asynccontextmanager
async def laid_alike(connection: Connection, resources: Sequence[Resource], *, swap: bool) -> AsyncIterator[None]:
    """Live tables and those beside, both without what only webhooks told (to swap), or both with it (to compare)."""
    if swap:
        async with provisional.lifted(connection):
            yield
        return
    current = [one for one in await provisional.up_to_date(connection) if one in resources]
    await provisional.lay(connection, current, await webhooks.pending(connection), stand_ins(resources))
    yield


async def settle(connection: Connection, resource: Resource) -> Difference:
    """Compare one resource, swap it if it differs, and move its checkpoint to the end of the journal."""
    difference = await compare(connection, resource)
    if difference.total:
        await replace_rows(connection, resource)
        await erasures.count_swap(connection)
    await checkpoints.place(connection, resource.name, (await checkpoints.read(connection))[checkpoints.HEAD])
    return difference
