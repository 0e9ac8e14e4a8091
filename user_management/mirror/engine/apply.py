"""Applying: entries folded over what the tables hold, and written; journalling them is another's work."""

from collections.abc import Mapping, Sequence

import asyncpg

from user_management.db.session import Connection
from user_management.journal import failures
from user_management.journal.entries import Entry
from user_management.mirror.engine import store
from user_management.mirror.engine.fold import Folded, fold, ids
from user_management.mirror.engine.resource import Resource
from user_management.telemetry import spans

Unstorable = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""What PostgreSQL says when it is the data, and not the database, that is at fault."""


async def fold_all(
    connection: Connection,
    resources: Sequence[Resource],
    entries: Sequence[Entry],
    tables: Mapping[str, str] | None = None,
) -> dict[Resource, Folded]:
    """Fold the entries for each resource they concern, over what its table (or its stand-in in `tables`) holds."""
    folds = {}
    for resource in resources:
        if any(entry.type in resource.verbs for entry in entries):
            rows = await store.rows(connection, name(resource, tables), ids(resource, entries))
            graves = await store.graves(connection, resource, entries, tables or {})
            folds[resource] = fold(resource, entries, rows, graves)
    return folds


async def write_all(
    connection: Connection, folds: Mapping[Resource, Folded], tables: Mapping[str, str] | None = None
) -> None:
    """Write what the folds decided and park what they could not apply."""
    for resource, folded in folds.items():
        with spans.step(f"apply {resource.name}", {"user_management.rows": len(folded.changed)}):
            await store.write(connection, resource, folded, name(resource, tables))
            if folded.failures and not tables:
                await failures.park(connection, folded.failures)


def name(resource: Resource, tables: Mapping[str, str] | None) -> str:
    """The table a resource is folded into."""
    return (tables or {}).get(resource.name, resource.name)
