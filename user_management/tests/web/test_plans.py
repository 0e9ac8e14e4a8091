"""How PostgreSQL answers a list: along an index from the cursor on, never by reading or sorting the whole table."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any, get_origin

import pytest

from user_management.db.session import Connection
from user_management.mirror.engine import catalog, filters, read
from user_management.mirror.engine.read import Order
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.walk import Cursor

MANY = 3000
SELECTIVE = {("users", "email")}
"""Filters that find few: PostgreSQL starts from those few, whatever it does then."""
INDEXES = {
    "organization_id": "ix_organization_memberships_organization_id",
    "email_verified": "ix_users_facts",
    "metadata": "ix_users_facts",
}
"""The indexes that sparse filters are looked up in; `q` has one of its own for each resource."""


async def fill(connection: Connection) -> None:
    """Many of each resource, a thirtieth of them in one organization."""
    values = {"email": "n || '@example.com'", "name": "'n'", "status": "'active'", "state": "'active'",
              "expires_at": "'2126-01-01T00:00:00.000Z'", "connection_type": "'active'",
              "organization_id": "'organizations_' || n / 100"}  # fmt: skip
    for resource in catalog.resources():
        names = ", ".join(resource.columns)
        own = ", ".join(values.get(name, f"'{name}_' || n") for name in resource.columns)
        await connection.execute(
            f"INSERT INTO {resource.name} (id, created_at, updated_at, position, body, {names}) "
            f"SELECT '{resource.name}_' || n, to_timestamp(n), to_timestamp(n), 1, '{{}}', {own} "
            f"FROM generate_series(1, {MANY}) n"
        )
        await connection.execute(f"ANALYZE {resource.name}")
    # What GIN has yet to file makes an index look dear; autovacuum files it elsewhere.
    await connection.execute(
        "SELECT gin_clean_pending_list(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'gin' "
        "AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace"
    )


def combinations(resource: Resource) -> Iterator[tuple[tuple[str, ...], Order, Cursor | None, bool]]:
    """Every single filter, and none, with every order and direction, with and without what was deleted."""
    names = [(), *((one.name,) for one in filters.of(resource) if not one.sparse)]
    orders: tuple[Order, ...] = ("asc", "desc")
    cursors: tuple[Cursor | None, ...] = (None, "after", "before")
    yield from product(names, orders, cursors, (False, True))


def example(resource: Resource, name: str) -> Any:
    """A value to filter by."""
    declared = next(one for one in filters.of(resource) if one.name == name)
    found = {"email": "7@example.com", "user_id": "users_7", "organization_id": "organizations_7", "q": "'7':*"}
    kinds = {datetime: datetime.fromtimestamp(1000, UTC), bool: True, dict[str, str]: '{"a": "b"}'}
    word = "active" if name in {"state", "status", "connection_type"} else f"{name}_7"
    several = ["active"] if get_origin(declared.type) is list else word
    return found.get(name, kinds.get(declared.type, several))


@pytest.mark.parametrize(("resource", "name"), [
    (resource, one.name) for resource in catalog.resources() for one in filters.of(resource)
    if one.sparse and one.name != "updated_after"
], ids=lambda one: getattr(one, "name", one))  # fmt: skip
async def test_what_is_scattered_is_looked_up(connection: Connection, resource: Resource, name: str) -> None:
    """Where a page is not near at hand, the filter's own index says what there is."""
    await fill(connection)
    await connection.execute("SET LOCAL enable_seqscan = off")
    statement = read.page(resource, (name,), "desc", "after", 11, include_deleted=False)
    found = await plan(connection, statement, {"cursor": f"{resource.name}_1500", name: example(resource, name)})
    assert INDEXES.get(name, f"ix_{resource.name}_words") in found, found
    assert re.search(f"ix_{resource.name}_(live|created_at)", found), found


async def plan(connection: Connection, statement: read.Statement, values: dict[str, Any]) -> str:
    """How PostgreSQL would run a statement."""
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement.text}", *statement.bind(values)))


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_every_list_walks_an_index(connection: Connection, resource: Resource) -> None:
    """Whatever the filter, the order and the direction, a page costs what is on it."""
    await fill(connection)
    for names, order, cursor, deleted in combinations(resource):
        statement = read.page(resource, names, order, cursor, 11, include_deleted=deleted)
        values = {"cursor": f"{resource.name}_1500", **{name: example(resource, name) for name in names}}
        found = await plan(connection, statement, values)
        few = (resource.name, *names) in SELECTIVE
        assert few or not re.search(r"Sort Key: (?!rows\.)", found), (names, order, cursor, found)
        assert few or f"Seq Scan on {resource.name}" not in found, (names, order, cursor, found)
        assert few or not cursor or found.count("Index Cond: (ROW(created_at, id)") + found.count("AND (ROW(") == 1, (
            found
        )


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_one_object_is_found_by_an_index(connection: Connection, resource: Resource) -> None:
    """An object is looked up by its key or by the index of its owner's own id."""
    await fill(connection)
    for by in ("id", *(["external_id"] if resource.has_external_id else [])):
        found = await plan(connection, read.one(resource, by, include_deleted=False), {"value": "7"})
        assert f"Seq Scan on {resource.name}" not in found, found


def test_a_statement_is_written_once() -> None:
    """The same question gets the same text, so that PostgreSQL and asyncpg prepare it once."""
    resource = catalog.resources()[0]
    one, two = (read.page(resource, (), "desc", None, 11, include_deleted=False) for _ in range(2))
    assert one is two
    assert "LIMIT 11" in one.text
