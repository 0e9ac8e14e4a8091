"""Questions to WorkOS, one after the other: one that it cannot answer keeps none behind it waiting."""

from collections.abc import Awaitable, Callable, Iterable

from user_management.errors import Wait
from user_management.services.workos.errors import BadAnswer, OutcomeUnknown, SlowDown, WorkOSUnavailable

Question = Callable[[], Awaitable[None]]
"""A question about one object, and what is done about the answer."""

OUTAGE = 10
"""Questions in a row without an answer after which it is WorkOS that fails, and not what it is asked for."""


async def ask(questions: Iterable[Question]) -> list[Wait]:
    """Ask them all; why some got no answer that can be believed.

    What WorkOS says to the last is raised where it answers none any more, or asks to slow down.
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
            if in_a_row >= OUTAGE:
                raise
        else:
            in_a_row = 0
    return failures
