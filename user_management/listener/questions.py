"""Questions to WorkOS, one after the other: those that it cannot answer keep none behind them waiting."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from user_management.db.session import Pool
from user_management.errors import Wait
from user_management.listener import listings
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import (
    BadAnswer,
    NotAllowed,
    OutcomeUnknown,
    Refused,
    SlowDown,
    WorkOSUnavailable,
)

About: TypeAlias = tuple[tuple[Resource, str], ...]
"""The objects that a question is about, each by its resource and its id."""

OUTAGE = 10
"""Questions in a row without an answer that may mean that WorkOS fails, and not what it is asked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about objects: `ask` asks it, and does what is to be done about the answer."""

    about: About
    ask: Callable[[], Awaitable[None]]


async def ask(pool: Pool, workos: WorkOS, questions: Sequence[Question]) -> list[tuple[Question, Wait]]:
    """Ask them all; those that got no answer that can be believed, and why.

    What WorkOS says to the last is raised where it asks to slow down, or answers for nothing of that kind any more.
    """
    failures, in_a_row = list[tuple[Question, Wait]](), 0
    for question in questions:
        failed = await failure(question.ask())
        if failed is None:
            in_a_row = 0
            continue
        failures.append((question, failed))
        in_a_row += 1
        if in_a_row % OUTAGE == 0 and not await answers(pool, workos, kinds([question]), questions):
            raise failed
    return failures


async def failure(asking: Awaitable[object]) -> Wait | None:
    """Why there is no answer that can be believed, if so; a request to slow down is raised."""
    try:
        await asking
    except SlowDown:
        raise
    except (BadAnswer, OutcomeUnknown, WorkOSUnavailable) as error:
        return error
    return None


def kinds(questions: Iterable[Question]) -> list[Resource]:
    """The resources that questions are about, each once."""
    return list(dict.fromkeys(resource for question in questions for resource, _ in question.about))


async def answers(pool: Pool, workos: WorkOS, resources: Iterable[Resource], questions: Iterable[Question]) -> bool:
    """Whether WorkOS answers for other objects of these kinds than those in question: then it is these that are odd."""
    asked = {key for question in questions for _, key in question.about}
    return all([await answers_for(pool, workos, resource, asked) for resource in resources])


async def answers_for(pool: Pool, workos: WorkOS, resource: Resource, asked: Iterable[str]) -> bool:
    """The same of one kind; where the copy holds no others of it, of their parents, or of the list of them."""
    found = await others(pool, resource, asked)
    parent = catalog.by_name(resource.listing.per or "")
    if not found and parent is not None:
        return await answers_for(pool, workos, parent, asked)
    listed = listings.page(workos, resource, listings.address_of(resource, "", {}), "") if not found else None
    asking = [listed] if listed else [listings.get(pool, workos, resource, key) for key in found]
    return any([await answered(one) for one in asking])


async def others(pool: Pool, resource: Resource, asked: Iterable[str]) -> list[str]:
    """The first and the last object of a kind, by their ids, of those that are not asked for."""
    living = f"SELECT id FROM {resource.name} WHERE deleted_at IS NULL AND id <> ALL ($1::text[]) ORDER BY id"
    async with pool.acquire() as connection:
        rows = await connection.fetch(f"({living} LIMIT 1) UNION ({living} DESC LIMIT 1)", list(asked))
    return [row["id"] for row in rows]


async def answered(asking: Awaitable[object]) -> bool:
    """Whether there is an answer that can be believed; that we may not know is one."""
    try:
        return await failure(asking) is None
    except (NotAllowed, Refused, listings.Unaskable):
        return True
