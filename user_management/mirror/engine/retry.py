"""Retrying: a parked entry folded again over its resource as it is now, under the same guards as the first time.

Or skipping it: it then stays unapplied, and the journal keeps it.
"""

from user_management.db.session import Connection
from user_management.journal import checkpoints, entries, failures, rereads
from user_management.journal.entries import Entry
from user_management.journal.failures import Failure, NoSuchFailure, Parked
from user_management.mirror.engine import catalog, fold, provisional, store
from user_management.mirror.engine.apply import Unstorable, bereave, fold_all, write_all
from user_management.mirror.engine.resource import Resource


async def retry(connection: Connection, position: int) -> list[Failure]:
    """Apply a parked entry to every resource that could not; what still fails is parked again, with its new error.

    The caller's transaction holds the checkpoints from here on. `NoSuchFailure` when nothing is parked there.
    """
    await checkpoints.lock(connection)
    parked, entry = await failures.parked(connection, position), await entries.get(connection, position)
    if not parked or entry is None:
        raise NoSuchFailure(f"No entry is parked at position {position}.")
    async with provisional.lifted(connection):
        return [failure for one in parked for failure in await retry_for(connection, entry, one.resource)]


async def skip(connection: Connection, position: int) -> list[Parked]:
    """Leave a parked entry unapplied for good, and say what was left; `NoSuchFailure` when nothing is parked there."""
    await checkpoints.lock(connection)
    found = await failures.parked(connection, position)
    if not found:
        raise NoSuchFailure(f"No entry is parked at position {position}.")
    for one in found:
        await failures.resolve(connection, position, one.resource, "skipped")
    return found


async def retry_for(connection: Connection, entry: Entry, name: str) -> list[Failure]:
    """Apply an entry to one resource again: resolve its failure, or park it with the error of this attempt.

    What the entry tells only in part is then read at WorkOS, as if it had been applied at once.
    """
    resource = catalog.by_name(name)
    if resource is None or entry.type not in resource.verbs:
        failed = [Failure(entry.position, name, f"{name} does not follow {entry.type} any more; skip the entry")]
    else:
        failed = await apply(connection, entry, resource)
    if failed:
        await failures.park(connection, failed)
    else:
        await failures.resolve(connection, entry.position, name, "retried")
        if resource is not None and entry.type in resource.lean and entry.object_id is not None:
            await rereads.ask(connection, name, entry.object_id, entry.position)
    return failed


async def apply(connection: Connection, entry: Entry, resource: Resource) -> list[Failure]:
    """Fold and write one entry; the failure, if it cannot be applied or PostgreSQL refuses it.

    Whose parent has ended since it was parked ends with that, as it would have, and so do its own children.
    """
    folds = await fold_all(connection, [resource], [entry])
    graves = await store.graves(connection, resource, [entry], {})
    for folded in folds.values():
        fold.bury(resource, folded, graves)
    bereave(catalog.resources(), folds)
    failed = [failure for folded in folds.values() for failure in folded.failures]
    if failed:
        return failed
    try:
        async with connection.transaction():
            await write_all(connection, folds)
    except Unstorable as error:
        return [Failure(entry.position, resource.name, str(error))]
    return []
