"""Soft deletion and its undoing: memberships and sessions first, the mark in the metadata last.

Every step may be done again without harm, and what a restore needs is noted before the first step; so whatever stops
us half-way, repeating the request completes it. WorkOS stays the truth: the user is there, and says that it is deleted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import structlog

from user_management.journal import soft_deletions
from user_management.journal.soft_deletions import MARK, Busy, Held
from user_management.journal.timestamps import render
from user_management.mirror.organization_memberships import resource as memberships
from user_management.services.workos import commands, objects
from user_management.services.workos.bucket import Priority
from user_management.services.workos.commands import authentication
from user_management.services.workos.commands import organization_memberships as membership_commands
from user_management.services.workos.errors import (
    FAILURES,
    BadAnswer,
    ObjectNotFound,
    OutcomeUnknown,
    Refused,
    WorkOSUnavailable,
)
from user_management.web import attempts, endings, errors, ledger, problems, whose
from user_management.web.attempts import Asked, Away, NotSent
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

PENDING = frozenset(
    {"cannot_deactivate_pending_organization_membership", "cannot_reactivate_pending_organization_membership"}
)
"""How WorkOS says that a membership is one only once its invitation is accepted: there is nothing to do to it."""
IN_PART = "A part may be done. Repeat the request: it goes on where it stopped."
MOST = 1000
"""Rounds after which somebody signs in faster than we can end it."""


@asynccontextmanager
async def withdrawn(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Take away from a user every active membership and session, then let it be marked as deleted."""
    async with held(found, asked) as mine:
        user = await whose.user(found, mine.user_id)
        async with resumable():
            await deactivate(found, asked, mine)
            await end_sessions(found, asked, mine)
        marked = (user.get("metadata") or {}).get(MARK) or render(asked.began_at)
        async with unmarked():
            yield replace(asked, fields={"metadata": {MARK: marked}})
        await sweep(found, asked, mine)


@asynccontextmanager
async def given_back(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Give a user back the memberships that its soft deletion took away, then let the mark be taken off."""
    async with held(found, asked) as mine:
        await whose.user(found, mine.user_id)
        async with resumable():
            for membership in mine.memberships:
                await reactivate(found, asked, mine, membership)
        async with unmarked():
            yield replace(asked, fields={"metadata": {MARK: None}})
        # What stays behind without the database names no membership any more.
        with suppress(*Away):
            async with found.connections.one() as connection:
                await soft_deletions.forget(connection, mine)


@asynccontextmanager
async def held(found: Backend, asked: Asked) -> AsyncIterator[Held]:
    """The right to work on the user that is asked for; a problem while somebody else has it."""
    user_id = asked.command.ids["id"]
    try:
        async with found.connections.one() as connection:
            mine = await soft_deletions.hold(connection, user_id, seconds=lease(found))
    except Busy as error:
        raise NotSent(problems.AT_WORK, f"Nothing was done: {error}.", headers=errors.retry_after(1)) from error
    ended = soft_deletions.let_go
    try:
        yield mine
    except ObjectNotFound:
        ended = soft_deletions.forget  # there is nobody to restore
        raise
    finally:
        # Without the database the lease ends by itself.
        with suppress(*Away):
            async with found.connections.one() as connection:
                await ended(connection, mine)


def lease(found: Backend) -> float:
    """Seconds after which whoever works on a user without a further note must be dead."""
    return 2 * ledger.lease(found.workos.timeout)


@asynccontextmanager
async def resumable() -> AsyncIterator[None]:
    """Say of what stops half-way that it is to be repeated."""
    try:
        yield
    except (BadAnswer, Busy, OutcomeUnknown, WorkOSUnavailable) as error:
        raise in_part(str(error), getattr(error, "retry_after", None)) from error
    except Away as error:
        raise in_part("The database does not answer", None) from error
    except ObjectNotFound:
        raise  # there is nobody to delete or restore, whatever was done
    except Refused as error:
        raise refused(error) from error
    except Problem as error:
        raise (in_part("WorkOS did not answer", None) if error.kind is problems.UNKNOWN else error) from error


@asynccontextmanager
async def unmarked() -> AsyncIterator[None]:
    """Say of a mark that WorkOS refuses, or was not asked for, that what goes before it may be done."""
    try:
        yield
    except WorkOSUnavailable as error:
        raise in_part(str(error), error.retry_after) from error
    except ObjectNotFound:
        raise  # there is nobody to delete or restore, whatever was done
    except Refused as error:
        raise refused(error) from error


def refused(error: Refused) -> Problem:
    """The problem of one step that WorkOS refuses, which is not the last word on the whole."""
    told = errors.of_refusal(error)
    return Problem(told.kind, f"{told} {IN_PART}", status=told.status, headers=told.headers, members=told.members)


def in_part(why: str, seconds: float | None) -> Problem:
    """The problem of something that may be done in part."""
    return Problem(
        problems.UNKNOWN,
        f"{why}. {IN_PART}",
        headers=errors.retry_after(seconds or errors.PATIENCE),
        members={"outcome": "unknown"},
    )


async def deactivate(found: Backend, asked: Asked, mine: Held) -> None:
    """Deactivate every active membership, having noted which."""
    active = [one["id"] async for one in listed(found, ("user_management", "organization_memberships"),
                                               user_id=mine.user_id, statuses="active")]  # fmt: skip
    async with found.connections.one() as connection:
        await soft_deletions.remember(connection, mine, active, seconds=lease(found))
    for membership in active:
        await change(found, asked, membership_commands.deactivate, membership)
        await keep(found, mine)


async def keep(found: Backend, mine: Held) -> None:
    """Note that somebody is still at work on the user; `Busy` when another request has taken over."""
    async with found.connections.one() as connection:
        await soft_deletions.remember(connection, mine, [], seconds=lease(found))


async def reactivate(found: Backend, asked: Asked, mine: Held, membership: str) -> None:
    """Reactivate a membership, and note that it is back, or cannot come back."""
    await change(found, asked, membership_commands.reactivate, membership)
    async with found.connections.one() as connection:
        await soft_deletions.forget_membership(connection, mine, membership, seconds=lease(found))


async def change(found: Backend, asked: Asked, command: commands.Command, membership: str) -> None:
    """Change a membership, if WorkOS still lets it be changed; the copy shows it at once."""
    step = Asked(memberships, command.of({"id": membership}), None, asked.path, asked.request_id)
    try:
        await attempts.attempt(found, step)
    except Refused as error:
        if error.refusal.status != HTTPStatus.NOT_FOUND and error.refusal.code not in PENDING:
            raise


async def sweep(found: Backend, asked: Asked, mine: Held) -> None:
    """End what was begun before the mark could refuse it; what cannot be ended now ends by itself, and is told of."""
    try:
        await end_sessions(found, asked, mine)
    except (*FAILURES, *Away, Busy) as error:
        log.warning("soft_deletion.not_swept", user_id=mine.user_id, error=type(error).__name__)


async def end_sessions(found: Backend, asked: Asked, mine: Held) -> None:
    """End every session; what is listed anew after each round is what is left."""
    over: set[str] = set()
    refusals: dict[str, Refused] = {}
    for _ in range(MOST):
        sessions = [one async for one in listed(found, (*asked.command.path, "sessions"))]
        left = [one["id"] for one in sessions if one.get("status", "active") == "active" and one["id"] not in over]
        if not left:
            return
        for session in left:
            if session in refusals:
                raise refusals[session]
            if refusal := await end(found, session):
                refusals[session] = refusal
            else:
                over.add(session)
            await keep(found, mine)


async def end(found: Backend, session_id: str) -> Refused | None:
    """End a session; a refusal that may mean that it is over, or may not: WorkOS has one status for both."""
    named = {"session_id": session_id}
    try:
        await commands.send(found.workos, authentication.end_session, named)
    except Refused as error:
        if error.refusal.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            raise
        return error if error.refusal.status == HTTPStatus.BAD_REQUEST else None
    await endings.note(found, named)
    return None


async def listed(found: Backend, path: tuple[str, ...], **parameters: str) -> AsyncIterator[dict[str, Any]]:
    """Everything that WorkOS lists there."""
    after: str | None = ""
    while after is not None:
        page = await objects.page(found.workos.at(Priority.WRITE), path, after=after, parameters=parameters)
        for one in page.objects:
            yield one
        after = page.after
