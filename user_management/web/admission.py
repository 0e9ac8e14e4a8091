"""Who is soft deleted does not come in: WorkOS, where they still are, would sign them in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from user_management.db import jsontext
from user_management.journal.soft_deletions import MARK
from user_management.mirror.engine import read
from user_management.mirror.users import resource
from user_management.services.workos.commands import Done
from user_management.services.workos.errors import FAILURES
from user_management.web import authority, errors, passwords, problems, whose
from user_management.web.attempts import RECORDING, Asked, Away, TakenBack
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem


@asynccontextmanager
async def judged(_found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Let WorkOS say who it is that signs in, then refuse whoever is soft deleted."""
    yield replace(asked, judges=admitted)


async def admitted(found: Backend, done: Done) -> None:
    """End a session whose user is soft deleted, and tell nobody its tokens: only who may sign in learns of it."""
    signed_in: dict[str, Any] = done.body if isinstance(done.body, dict) else {}
    user = signed_in.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    if not isinstance(user_id, str):
        return
    try:
        since = await deleted_at(found, user_id)
    except FAILURES as error:
        await passwords.end(found, signed_in)
        raise doubted(error) from error
    if not since:
        return
    await passwords.end(found, signed_in)
    raise TakenBack(
        problems.SOFT_DELETED, "This user is soft deleted.", members={"user_id": user_id, "deleted_at": since}
    )


def doubted(error: Exception) -> Problem:
    """The problem of somebody whom WorkOS signed in and then tells nothing of: what they came with may be used up."""
    return Problem(
        problems.UNKNOWN,
        f"WorkOS signed the user in, but whether they are soft deleted is not known: {error}. "
        "The session is ended, and a code or refresh token is used up: sign in again.",
        headers=errors.retry_after(getattr(error, "retry_after", None) or errors.PATIENCE),
        members={"outcome": "unknown"},
    )


async def deleted_at(found: Backend, user_id: str) -> str | None:
    """Since when a user is soft deleted, by a copy that is live and knows the user, else by WorkOS."""
    user = await copied(found, user_id) or await whose.user(found, user_id)
    since = (user.get("metadata") or {}).get(MARK)
    return str(since) if since else None


async def copied(found: Backend, user_id: str) -> dict[str, Any] | None:
    """The user as the copy has it, from the snapshot that says the copy is live; None where WorkOS must be asked."""
    statement = read.one(resource, "id", include_deleted=True)
    try:
        async with asyncio.timeout(RECORDING), found.connections.one() as connection:
            row = await connection.fetchrow(statement.text, *statement.bind({"value": user_id}))
    except Away:
        return None
    if row is None or row["body"] is None or not authority.young(row, found.stale_after, None):
        return None
    user: dict[str, Any] = jsontext.loads(row["body"])
    return user
