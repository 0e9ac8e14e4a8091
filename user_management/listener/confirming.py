"""The last of a backfill: what it did not list, or listed otherwise, is asked for by name, one after the other."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import structlog

from user_management.db.session import Pool, transaction
from user_management.journal import cursor as cursors
from user_management.listener import absence, backfills, questions, ties
from user_management.listener.backfills import Backfill
from user_management.listener.patience import Patience
from user_management.listener.questions import Question
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS

log = structlog.get_logger(__name__)


async def confirm(  # noqa: PLR0917  what a run ends with, and how
    pool: Pool, workos: WorkOS, resources: Sequence[Resource], run: Backfill, max_deletions: int, patience: Patience
) -> None:
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
        otherwise = await ties.noted(pool, resource, run)
        for how, ids in ((absence.confirm, absent), (ties.settle, otherwise)):
            asking += [
                Question(((resource, one),), partial(how, pool, workos, resources, resource, one)) for one in ids
            ]
    if unanswered := await asked(pool, workos, run, asking, patience):
        notes.append(f"{unanswered} objects that WorkOS does not answer for stay as they were")
    await finish(pool, run, "; ".join(notes), count, capped=capped)


async def asked(pool: Pool, workos: WorkOS, run: Backfill, asking: Sequence[Question], patience: Patience) -> int:
    """Ask what was not answered yet; how much goes without an answer for so long that the run ends without.

    Before that, and while WorkOS answers for nothing else of the kind either, the first failure is raised once the
    others were asked: what failed is asked again.
    """
    left = patience.left(run.id, asking)
    failures = await questions.ask(pool, workos, left)
    failed = [question for question, _ in failures]
    over = patience.note(left, failed, time.monotonic())
    if failures and not (over and await questions.answers(pool, workos, questions.kinds(failed), asking)):
        raise failures[0][1]
    for question, error in failures:
        for resource, key in question.about:
            log.error("backfill.unanswered", resource=resource.name, id=key, error=str(error))
    return len(failures)


async def finish(pool: Pool, run: Backfill, note: str, absent: int, *, capped: bool) -> None:
    """Close the run; the copy is complete from here on."""
    async with transaction(pool) as connection:
        await cursors.ready(connection, datetime.now(UTC))
        await backfills.finish(connection, run, note=note, absent=absent, capped=capped)
    log.info("backfill.finished", listed=run.listed, changed=run.changed, absent=absent, note=note or None)
