"""What webhooks told, laid over the copy until the feed brings it.

The copy's truth is the fold of all entries but the pending webhooks. Those are folded on top of it, and every row they
change is kept beside as it is without them. Whoever writes lifts them first and lays them back afterwards, so that
no guard ever judges by what only a webhook told: it can be late, early, repeated or lost, and changes nothing for good.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from sqlalchemy import ARRAY, BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp, Verbatim
from user_management.db.session import Connection
from user_management.journal import checkpoints, erasures, webhooks
from user_management.journal import entries as journal
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.mirror.engine import catalog, store
from user_management.mirror.engine.apply import Unstorable, fold_some, name, runs
from user_management.mirror.engine.fold import Folded
from user_management.mirror.engine.resource import SHARED_COLUMNS, Resource


class ProvisionalRow(Base):
    """A row that pending webhooks changed, as it is without them; `existed` is false for one they brought."""

    __tablename__ = "provisional"

    resource: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    existed: Mapped[bool]
    created_at: Mapped[Timestamp | None]
    updated_at: Mapped[Timestamp | None]
    deleted_at: Mapped[Timestamp | None]
    position: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[list[str | None]] = mapped_column(ARRAY(Text))
    body: Mapped[Verbatim | None]


KEPT = SHARED_COLUMNS[1:]
"""The columns of a row that stand under their own names; those of its resource stand in `columns`, in their order."""


async def announce(connection: Connection, entry: Entry) -> bool:
    """Journal what a webhook told and lay it over the copy, in the caller's transaction; False if it was known."""
    assert entry.event_id is not None  # noqa: S101  of_event gives every event an id
    head = (await checkpoints.lock(connection))[checkpoints.HEAD]
    if await webhooks.holds(connection, entry.event_id):
        return False
    (entry,) = await erasures.spared(connection, [entry])
    room = await webhooks.count(connection) < webhooks.LIMIT
    current = await up_to_date(connection)
    told = replace(entry, lane=Lane.WEBHOOK, position=head + 1, verdict=Verdict.PENDING)
    await journal.append(connection, [told])
    await checkpoints.move(connection, old=head, new=head + 1)
    if room:
        await lay(connection, current, [told])
    await webhooks.wake(connection)
    return True


async def up_to_date(connection: Connection) -> list[Resource]:
    """The resources that have applied the whole journal; the others are not laid over before they have."""
    positions = await checkpoints.read(connection)
    return [one for one in catalog.resources() if positions.get(one.name) == positions[checkpoints.HEAD]]


@asynccontextmanager
async def lifted(connection: Connection) -> AsyncIterator[bool]:
    """The tables without what only webhooks told, for the length of the block; whether there was anything.

    The caller's transaction holds the checkpoints.
    """
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM provisional) OR EXISTS (SELECT FROM journal WHERE lane = 'webhook')"
    )
    if found:
        await lift(connection)
    yield bool(found)
    if found:
        await lay(connection, await up_to_date(connection), await webhooks.pending(connection))


async def lift(connection: Connection) -> None:
    """Give every row that webhooks changed back as it is without them."""
    changed = {row["resource"] for row in await connection.fetch("SELECT DISTINCT resource FROM provisional")}
    for resource in catalog.resources():
        table = resource.name
        if table not in changed:
            continue
        kept = [f"{name} = before.{name}" for name in KEPT]
        own = [f"{name} = before.columns[{number}]" for number, name in enumerate(resource.columns, 1)]
        same = "before.resource = $1 AND before.id = live.id"
        await connection.execute(
            f"DELETE FROM {table} live USING provisional before WHERE {same} AND NOT before.existed", table
        )
        await connection.execute(
            f"UPDATE {table} live SET {', '.join(kept + own)} FROM provisional before WHERE {same} AND before.existed",
            table,
        )
    await connection.execute("DELETE FROM provisional")


async def lay(
    connection: Connection,
    resources: Sequence[Resource],
    entries: Sequence[Entry],
    tables: Mapping[str, str] | None = None,
) -> None:
    """Fold webhooks over the tables; what cannot be applied yet is left to the feed. Live rows are kept beside.

    With `tables`, the stand-ins of the live ones, nothing is kept.
    """
    try:
        async with connection.transaction():
            await lay_together(connection, resources, entries, tables)
    except Unstorable:
        for entry in entries:
            with suppress(*Unstorable):
                async with connection.transaction():
                    await lay_together(connection, resources, [entry], tables)


async def lay_together(
    connection: Connection, resources: Sequence[Resource], entries: Sequence[Entry], tables: Mapping[str, str] | None
) -> None:
    """Fold webhooks over the tables, run by run."""
    for run in runs(resources, entries):
        rest = run
        while rest:
            count, folds = await fold_some(connection, resources, rest, tables)
            for resource, folded in folds.items():
                if tables is None:
                    await keep(connection, resource, folded)
                await store.write(connection, resource, folded, name(resource, tables), tables)
            rest = rest[count:]


async def keep(connection: Connection, resource: Resource, folded: Folded) -> None:
    """Keep the rows that a fold is about to change as they are, but for those that are kept already."""
    columns = ", ".join(f"live.{name}" for name in resource.columns)
    row = ", ".join(["live.id IS NOT NULL", *(f"live.{name}" for name in KEPT[:-1]), f"ARRAY[{columns}]::text[]",
                     "live.body"])  # fmt: skip
    into = f"INSERT INTO provisional (resource, id, existed, {', '.join(KEPT[:-1])}, columns, body)"
    if folded.changed:
        await connection.execute(
            f"{into} SELECT $1, changed.id, {row} FROM unnest($2::text[]) changed (id) "
            f"LEFT JOIN {resource.name} live ON live.id = changed.id ON CONFLICT DO NOTHING",
            resource.name, sorted(folded.changed),
        )  # fmt: skip
    for cascade, parent in folded.ended:
        await connection.execute(
            f"{into} SELECT $2, live.id, {row} FROM {resource.name} live "
            f"WHERE live.{store.children(cascade, {})} AND live.deleted_at IS NULL ON CONFLICT DO NOTHING",
            parent, resource.name,
        )  # fmt: skip


async def invented(connection: Connection, resource: Resource, ids: Sequence[str]) -> set[str]:
    """Which of these rows only webhooks told of."""
    rows = await connection.fetch(
        "SELECT id FROM provisional WHERE resource = $1 AND id = ANY($2::text[]) AND NOT existed", resource.name, ids
    )
    return {row["id"] for row in rows}


def confirmed_ends(resource: str) -> str:
    """The subquery of a resource's ends (`id`, `deleted_at`, `position`) without what only webhooks told."""
    return f"""(
        SELECT id, deleted_at, position FROM {resource} live WHERE NOT EXISTS (
            SELECT FROM provisional before WHERE before.resource = '{resource}' AND before.id = live.id)
        UNION ALL SELECT id, deleted_at, position FROM provisional WHERE resource = '{resource}' AND existed
    ) AS confirmed"""
