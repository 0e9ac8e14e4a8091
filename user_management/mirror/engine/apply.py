"""Applying: entries folded over what the tables hold, and written; journalling them is another's work."""

from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from user_management.db.session import Connection
from user_management.journal import failures
from user_management.journal.entries import Entry
from user_management.mirror.engine import store
from user_management.mirror.engine.fold import Folded, fold, ids
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade, Verb
from user_management.telemetry import spans

Unstorable = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""What PostgreSQL says when it is the data, and not the database, that is at fault."""


def runs(resources: Sequence[Resource], entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries in runs that may be folded as one: each ends where a grandparent of what they tell of does.

    Whose grandchildren end is read from the tables alone, so what is told of them later is folded over their ends.
    """
    told, start = {entry.type for entry in entries}, 0
    grand = [one for one in resources if any(cascade.through for cascade in one.cascades)]
    concerned = [one for one in grand if any(isinstance(one.verbs.get(type_), Verb) for type_ in told)]
    ends = {
        type_ for one in concerned for type_, verb in one.events.items() if isinstance(verb, Cascade) and verb.through
    }
    for number, entry in enumerate(entries, 1):
        if entry.type in ends or number == len(entries):
            yield entries[start:number]
            start = number


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


async def fold_some(
    connection: Connection,
    resources: Sequence[Resource],
    entries: Sequence[Entry],
    tables: Mapping[str, str] | None = None,
) -> tuple[int, dict[Resource, Folded]]:
    """Fold a run, or as much of it as may be folded as one, with the ends of whatever ends with what was buried.

    The number of entries folded, from the first on. They are to be written before the next are folded.
    """
    folds = await fold_all(connection, resources, entries, tables)
    count = foldable(resources, entries, folds)
    if count < len(entries):
        folds = await fold_all(connection, resources, entries[:count], tables)
    bereave(resources, folds)
    return count, folds


def foldable(resources: Sequence[Resource], entries: Sequence[Entry], folds: Mapping[Resource, Folded]) -> int:
    """How many entries may be folded as one: those before something is told of the children of what was buried."""
    burials = {one.name: min(at for at, _ in folded.buried.values()) for one, folded in folds.items() if folded.buried}
    told = [
        (type_, burials[parent]) for parent in burials for one in children(resources, parent) for type_ in one.verbs
    ]
    since = {type_: min(at for other, at in told if other == type_) for type_, _ in told}
    late = (number for number, entry in enumerate(entries) if entry.position > since.get(entry.type, entry.position))
    return next(late, len(entries))


def children(resources: Sequence[Resource], parent: str) -> list[Resource]:
    """The resources whose rows end with those of another."""
    return [
        one for one in resources if any(cascade.parent == parent and not cascade.through for cascade in one.cascades)
    ]


def bereave(resources: Sequence[Resource], folds: dict[Resource, Folded]) -> None:
    """End the children of what was buried with it: when its parent ended, nothing told that they were its children."""
    for parent, folded in list(folds.items()):
        for child in children(resources, parent.name) if folded.buried else ():
            ended = folds.setdefault(child, Folded({})).ended
            for cascade in (one for one in child.cascades if one.parent == parent.name and not one.through):
                for key, (_, grave) in folded.buried.items():
                    ended.setdefault((cascade, key), grave)


async def apply_all(
    connection: Connection, resources: Sequence[Resource], entries: Sequence[Entry], tables: Mapping[str, str]
) -> None:
    """Fold the entries into the stand-ins of the tables."""
    for run in runs(resources, entries):
        rest = run
        while rest:
            count, folds = await fold_some(connection, resources, rest, tables)
            await write_all(connection, folds, tables)
            rest = rest[count:]


async def write_all(
    connection: Connection, folds: Mapping[Resource, Folded], tables: Mapping[str, str] | None = None
) -> None:
    """Write what the folds decided and park what they could not apply."""
    for resource, folded in folds.items():
        with spans.step(f"apply {resource.name}", {"user_management.rows": len(folded.changed)}):
            await store.write(connection, resource, folded, name(resource, tables), tables)
            if folded.failures and not tables:
                await failures.park(connection, folded.failures)


def name(resource: Resource, tables: Mapping[str, str] | None) -> str:
    """The table a resource is folded into."""
    return (tables or {}).get(resource.name, resource.name)
