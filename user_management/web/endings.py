"""Sessions that WorkOS ended because we asked: from then on their tokens are good for nothing here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from user_management.db import jsontext
from user_management.journal import ended_sessions
from user_management.mirror.engine.resource import UNSTORABLE
from user_management.web.attempts import RECORDING, Asked, Away
from user_management.web.dependencies import Backend

log = structlog.get_logger(__name__)

PATH = "/user_management/sessions/revoke"
"""Where WorkOS ends a session; which one, the body says."""


@asynccontextmanager
async def remembered(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Let WorkOS end a session, then remember it."""
    yield asked
    await note(found, asked.command.sent(asked.fields))


async def note(found: Backend, body: Any) -> None:
    """Remember the session that a body names, for WorkOS has ended it; without the database its event will tell."""
    session_id = body.get("session_id") if isinstance(body, dict) else None
    if not isinstance(session_id, str) or UNSTORABLE.search(session_id):
        return
    try:
        async with asyncio.timeout(RECORDING), found.connections.one() as connection:
            await ended_sessions.add(connection, session_id)
    except Away as error:
        log.warning("reply.not_learnt", error=type(error).__name__)


def named(body: bytes | None) -> Any:
    """What a body says, if it is JSON."""
    try:
        return jsontext.loads(body) if body else None
    except (ValueError, RecursionError):
        return None
