"""The last of a backfill: what it did not list, or listed otherwise, is asked for by name, one after the other."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from user_management.db.session import Pool, transaction
from user_management.journal import cursor as cursors
from user_management.listener import absence, backfills, questions, ties
from user_management.listener.backfills import Backfill
from user_management.listener.questions import Question
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS

log = structlog.get_logger(__name__)

PATIENCE = timedelta(hours=1)
"""How long an object that WorkOS does not answer for is asked for again, before a run ends without."""


async def confirm(pool: Pool, workos: WorkOS, resources: Sequence[Resource], run: Backfill, max_deletions: int) -> None:
    """Ask WorkOS for everything it did not list; gone is what it answers 404 for. Too many at once are left alone.

    What it listed otherwise is asked for likewise.
    """
    suspects = await absence.find(pool, resources, run, limit=max_deletions + 1)
    count = sum(len(ids) for ids in suspects.values())
    notes, capped, asking = [], count > max_deletions, list[Question]()
    if run.left_out:
        notes.append(f"not listed, for WorkOS refuses: {', '.join(run.left_out)}")
    if capped:
        notes.append(
            f"more than {max_deletions} objects were not listed: none deleted; raise BACKFILL_MAX_DELETIONS if right"
        )
        log.error("backfill.deletions_capped", cap=max_deletions, resources={n: len(i) for n, i in suspects.items()})
    for resource in resources:
        absent = [] if capped else suspects[resource.name]
        asking += [partial(absence.confirm, pool, workos, resources, resource, one) for one in absent]
        otherwise = await ties.noted(pool, resource, run)
        asking += [partial(ties.settle, pool, workos, resources, resource, one) for one in otherwise]
    if unanswered := await asked(pool, run, asking):
        notes.append(f"{unanswered} objects that WorkOS does not answer for stay as they were")
    await finish(pool, run, "; ".join(notes), count, capped=capped)


async def asked(pool: Pool, run: Backfill, asking: Sequence[Question]) -> int:
    """Ask them all; how many went without an answer for so long, while all else is well, that the run ends without.

    Before that, the first failure is raised once the others were asked: all is then asked again.
    """
    failures = await questions.ask(pool, asking)
    if failures and not await hopeless(pool, run):
        raise failures[0]
    for failure in failures:
        log.error("backfill.unanswered", error=str(failure))
    return len(failures)


async def hopeless(pool: Pool, run: Backfill) -> bool:
    """Whether a run has asked for long, and it is not WorkOS as a whole that fails."""
    async with pool.acquire() as connection:
        now = await cursors.clock(connection)
    began = run.followed_at or run.listed_at
    return began is not None and now - began > PATIENCE and await questions.followed(pool)


async def finish(pool: Pool, run: Backfill, note: str, absent: int, *, capped: bool) -> None:
    """Close the run; the copy is complete from here on."""
    async with transaction(pool) as connection:
        await cursors.ready(connection, datetime.now(UTC))
        await backfills.finish(connection, run, note=note, absent=absent, capped=capped)
    log.info("backfill.finished", listed=run.listed, changed=run.changed, absent=absent, note=note or None)
