"""A whole list from one snapshot, a batch at a time: what is held in memory does not grow with the list."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import DateTime, Text, bindparam, select, tuple_

from user_management.db.session import Connection
from user_management.mirror.engine import filters, read, walk
from user_management.mirror.engine.read import Order, Statement
from user_management.mirror.engine.resource import Resource

Place: TypeAlias = tuple[datetime, str]
"""Where an object stands in a list: when it was made, and its id."""

BATCH = 500
"""Objects that are read, and held, at once."""


@cache
def batch(resource: Resource, names: tuple[str, ...], order: Order, *, include_deleted: bool, begun: bool) -> Statement:
    """The next objects of a list, in order: `id`, `created_at`, and `body`; once `begun`, behind a place in it."""
    backwards, source = order == "desc", resource.table
    both = (filters.conditions(resource, names, sparse=sparse) for sparse in (False, True))
    within = [*walk.living(resource, include_deleted=include_deleted), *(one for some in both for one in some)]
    if begun:
        here = tuple_(source.c.created_at, source.c.id)
        there = tuple_(bindparam("born", type_=DateTime(timezone=True)), bindparam("last", type_=Text))
        within.append(here < there if backwards else here > there)
    way = select(*walk.columns(resource)).where(*within).order_by(*walk.steps(source.c, backwards=backwards))
    rows = way.limit(walk.number(BATCH)).subquery("rows")
    body = read.served(resource, rows, include_deleted=include_deleted).label("body")
    found = select(rows.c.id, rows.c.created_at, body).order_by(*walk.steps(rows.c, backwards=backwards))
    return read.compiled(found, f"export {resource.name}")


async def bodies(
    connection: Connection,
    resource: Resource,
    values: Mapping[str, Any],
    order: Order,
    *,
    include_deleted: bool,
    after: Place | None,
) -> AsyncIterator[list[str]]:
    """The bodies of a list, batch by batch, within the caller's transaction, which must be one snapshot."""
    names, place = tuple(values), after
    while True:
        statement = batch(resource, names, order, include_deleted=include_deleted, begun=place is not None)
        born, last = place or (None, None)
        rows = await connection.fetch(statement.text, *statement.bind({**values, "born": born, "last": last}))
        if rows:
            yield [row["body"] for row in rows]
        if len(rows) < BATCH:
            return
        place = rows[-1]["created_at"], rows[-1]["id"]


async def place(connection: Connection, resource: Resource, object_id: str) -> Place | None:
    """Where an object stands in the list, also one that was deleted; None where there is none."""
    born = await connection.fetchval(f"SELECT created_at FROM {resource.name} WHERE id = $1", object_id)
    return None if born is None else (born, object_id)
