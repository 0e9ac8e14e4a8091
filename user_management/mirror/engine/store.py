"""The statements that read and write rows, one per resource and page; written from the resource's own columns."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import cache
from typing import Any

from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal.entries import Entry
from user_management.mirror.engine import fold
from user_management.mirror.engine.fold import Folded, Grave, Graves
from user_management.mirror.engine.resource import SHARED_COLUMNS, Resource
from user_management.mirror.engine.verbs import Cascade, Row


def sql_type(column: Column[Any]) -> str:
    """The PostgreSQL type of a column."""
    return column.type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's dialect constructors are untyped


def names(resource: Resource) -> tuple[str, ...]:
    """The columns of a resource's table, in the order of `values`."""
    return (*SHARED_COLUMNS, *resource.columns)


def values(resource: Resource, folded: Folded, key: str) -> tuple[Any, ...]:
    """A folded row as its columns hold it."""
    one = folded.rows[key]
    columns = folded.columns.get(key) or resource.column_values(one.body, live=one.deleted_at is None)
    body = jsontext.dumps(one.body)
    return (one.id, one.created_at, one.updated_at, one.deleted_at, one.position, body, *columns)


@cache
def update_statement(resource: Resource, table: str) -> str:
    """Change many rows at once: one array for each column."""
    columns = [resource.table.columns[name] for name in names(resource)]
    arrays = ", ".join(f"${n}::{sql_type(column)}[]" for n, column in enumerate(columns, 1))
    changes = ", ".join(f"{name} = changed.{name}" for name in names(resource)[1:])
    return (
        f"UPDATE {table} SET {changes} FROM unnest({arrays}) AS changed ({', '.join(names(resource))}) "
        f"WHERE {table}.id = changed.id"
    )


def of_record(record: Any) -> Row:
    """The row a database record holds."""
    return Row(
        record["id"],
        record["created_at"].astimezone(UTC),
        record["updated_at"].astimezone(UTC),
        record["deleted_at"].astimezone(UTC) if record["deleted_at"] else None,
        record["position"],
        jsontext.loads(record["body"]),
    )


async def rows(connection: Connection, table: str, ids: Sequence[str]) -> dict[str, Row]:
    """The rows with these ids, tombstones included."""
    if not ids:
        return {}
    found = await connection.fetch(f"SELECT {', '.join(SHARED_COLUMNS)} FROM {table} WHERE id = ANY($1::text[])", ids)
    return {record["id"]: of_record(record) for record in found}


async def row(connection: Connection, table: str, object_id: str) -> Row | None:
    """One row, or its tombstone."""
    return (await rows(connection, table, [object_id])).get(object_id)


def ends_of(name: str) -> str:
    """What the ends alone of a parent go by among stand-ins: of a table that is not rebuilt."""
    return f"{name} ended"


def ended(name: str, tables: Mapping[str, str]) -> str:
    """Where a parent's end is looked up."""
    return tables.get(ends_of(name), tables.get(name, name))


async def graves(
    connection: Connection, resource: Resource, entries: Sequence[Entry], tables: Mapping[str, str]
) -> Graves:
    """The parents named by these entries that have ended."""
    found: Graves = {}
    for cascade in (one for one in resource.cascades if not one.through):
        parents = fold.parents(cascade, resource, entries)
        records = await connection.fetch(
            f"SELECT id, deleted_at, position FROM {ended(cascade.parent, tables)} "
            "WHERE id = ANY($1::text[]) AND deleted_at IS NOT NULL",
            parents,
        ) if parents else []  # fmt: skip
        for record in records:
            found[cascade.by, record["id"]] = Grave(record["deleted_at"].astimezone(UTC), record["position"])
    return found


def children(cascade: Cascade, tables: Mapping[str, str]) -> str:
    """The condition that a row is a child, or a grandchild, of the parent `$1`."""
    if cascade.through is None:
        return f"{cascade.by} = $1"
    name, column = cascade.through
    return f"{cascade.by} IN (SELECT id FROM {tables.get(name, name)} AS parent WHERE parent.{column} = $1)"


async def write(
    connection: Connection,
    resource: Resource,
    folded: Folded,
    table: str,
    tables: Mapping[str, str] | None = None,
) -> None:
    """Write what a fold decided: new rows, changed rows, then the end of every other child of an ended parent."""
    new = [values(resource, folded, key) for key in sorted(folded.new)]
    changed = [values(resource, folded, key) for key in sorted(folded.changed - folded.new)]
    if new:
        await connection.copy_records_to_table(table, records=new, columns=names(resource))
    if changed:
        await connection.execute(update_statement(resource, table), *map(list, zip(*changed, strict=True)))
    for (cascade, parent), grave in folded.ended.items():
        await connection.execute(
            f"UPDATE {table} SET deleted_at = $2, position = greatest(position, $3) "
            f"WHERE {children(cascade, tables or {})} AND deleted_at IS NULL",
            parent, grave.deleted_at, grave.position,
        )  # fmt: skip
