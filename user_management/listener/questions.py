"""Questions to WorkOS, one after the other: those that it cannot answer keep none behind them waiting."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from user_management.db.session import Pool
from user_management.errors import Wait
from user_management.journal import cursor as cursors
from user_management.services.workos.errors import BadAnswer, OutcomeUnknown, SlowDown, WorkOSUnavailable

Question = Callable[[], Awaitable[None]]
"""A question about one object, and what is done about the answer."""

OUTAGE = 10
"""Questions in a row without an answer that may mean that WorkOS fails, and not what it is asked for."""

FOLLOWED = timedelta(minutes=1)
"""How long ago the feed's end was reached at most, where WorkOS as a whole answers as it should."""


async def ask(pool: Pool, questions: Iterable[Question]) -> list[Wait]:
    """Ask them all; why some got no answer that can be believed.

    What WorkOS says to the last is raised where it asks to slow down, or answers none any more and no feed either.
    """
    failures, in_a_row = list[Wait](), 0
    for question in questions:
        try:
            await question()
        except SlowDown:
            raise
        except (BadAnswer, OutcomeUnknown, WorkOSUnavailable) as error:
            failures.append(error)
            in_a_row += 1
            if in_a_row % OUTAGE == 0 and not await followed(pool):
                raise
        else:
            in_a_row = 0
    return failures


async def followed(pool: Pool) -> bool:
    """Whether it is not WorkOS as a whole that fails: the feed is followed."""
    async with pool.acquire() as connection:
        cursor = await cursors.read(connection)
    if cursor.now is None or cursor.drained_at is None:
        return False
    return cursor.now - cursor.drained_at < FOLLOWED
