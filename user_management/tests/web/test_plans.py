"""How PostgreSQL answers a list: along an index from the cursor on, never by reading or sorting the whole table."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from user_management.db.session import Connection
from user_management.mirror.engine import catalog, read
from user_management.mirror.engine.read import Cursor, Order
from user_management.mirror.engine.resource import Resource

MANY = 3000
SELECTIVE = {("users", "email"), ("users", "organization_id")}
"""Filters that find few: PostgreSQL starts from those few, whatever it does then."""


async def fill(connection: Connection) -> None:
    """Many of each resource, a thirtieth of them in one organization."""
    values = {"email": "n || '@example.com'", "name": "'n'", "external_id": "n::text", "status": "'active'",
              "user_id": "'users_' || n", "organization_id": "'organizations_' || n / 100"}  # fmt: skip
    for resource in catalog.resources():
        names = ", ".join(resource.columns)
        own = ", ".join(values[name] for name in resource.columns)
        await connection.execute(
            f"INSERT INTO {resource.name} (id, created_at, updated_at, position, body, {names}) "
            f"SELECT '{resource.name}_' || n, to_timestamp(n), to_timestamp(n), 1, '{{}}', {own} "
            f"FROM generate_series(1, {MANY}) n"
        )
        await connection.execute(f"ANALYZE {resource.name}")


def combinations(resource: Resource) -> Iterator[tuple[tuple[str, ...], Order, Cursor | None, bool]]:
    """Every single filter, and none, with every order and direction, with and without what was deleted."""
    names = [(), *((one.name,) for one in resource.filters)]
    orders: tuple[Order, ...] = ("asc", "desc")
    cursors: tuple[Cursor | None, ...] = (None, "after", "before")
    yield from product(names, orders, cursors, (False, True))


def example(resource: Resource, name: str) -> Any:
    """A value to filter by."""
    found = {"email": "7@example.com", "user_id": "users_7", "organization_id": "organizations_7"}
    return found.get(name, ["active"])


async def plan(connection: Connection, statement: read.Statement, values: dict[str, Any]) -> str:
    """How PostgreSQL would run a statement."""
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement.text}", *statement.bind(values)))


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_every_list_walks_an_index(connection: Connection, resource: Resource) -> None:
    """Whatever the filter, the order and the direction, a page costs what is on it."""
    await fill(connection)
    for filters, order, cursor, deleted in combinations(resource):
        statement = read.page(resource, filters, order, cursor, 11, include_deleted=deleted)
        values = {"cursor": f"{resource.name}_1500", **{name: example(resource, name) for name in filters}}
        found = await plan(connection, statement, values)
        few = (resource.name, *filters) in SELECTIVE
        assert few or not re.search(r"Sort Key: (?!rows\.)", found), (filters, order, cursor, found)
        assert few or f"Seq Scan on {resource.name}" not in found, (filters, order, cursor, found)
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
