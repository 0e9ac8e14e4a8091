"""Exports: a whole list as lines of JSON (NDJSON), from one snapshot, at the pace of whoever reads it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.mirror.engine import export, read
from user_management.mirror.engine.resource import Resource
from user_management.web import freshness, problems
from user_management.web.answers import UNCACHED
from user_management.web.api.parameters import Page
from user_management.web.dependencies import AT_ONCE, Backend, backend
from user_management.web.problems import Problem

MEDIA_TYPE = "application/x-ndjson"
PATIENCE = 60.0
"""Seconds a reader may take for one batch."""
LONGEST = 3600.0
"""Seconds an export may take: a snapshot that is held keeps PostgreSQL from tidying up."""
UNPAGED = ("limit", "before", "offset", "count")
"""The parameters of pages, which an export does not have."""


class Lines(StreamingResponse):
    """Lines that end, and give back what they hold, when their reader has gone or stalls."""

    def __init__(self, lines: AsyncIterator[bytes], headers: dict[str, str], held: AsyncExitStack) -> None:
        super().__init__(lines, headers=headers, media_type=MEDIA_TYPE)
        self.held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines, waiting for the reader, but not for ever."""

        async def patiently(message: Message) -> None:
            async with asyncio.timeout(PATIENCE):
                await send(message)

        async with self.held, asyncio.timeout(LONGEST):
            await super().__call__(scope, receive, patiently)


async def answer(request: Request, resource: Resource, asked: Page, values: dict[str, Any]) -> Response:
    """All of a list; what can fail at once fails before the first line."""
    paged = [name for name in UNPAGED if name in asked.model_fields_set]
    if paged:
        raise problems.invalid([{"field": name, "message": "is for pages, and an export has none"} for name in paged])
    found = backend(request)
    if found.exports.locked():
        words = f"{AT_ONCE} exports are under way, which is what one process does at once."
        raise Problem(problems.BUSY, words, headers={"Retry-After": "10"})
    async with AsyncExitStack() as held:
        connection = await snapshot(found, held)
        headers = freshness.of_row(await reached(connection, resource), found.stale_after)
        after = await place(connection, resource, asked.after)
        return Lines(lines(connection, resource, asked, values, after), headers | UNCACHED, held.pop_all())


async def snapshot(found: Backend, held: AsyncExitStack) -> Connection:
    """A connection on which every statement sees the same, until `held` is let go."""
    await held.enter_async_context(found.exports)
    connection = await held.enter_async_context(found.connections.one())
    await held.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
    return connection


async def reached(connection: Connection, resource: Resource) -> Any:
    """How fresh the snapshot is."""
    return await connection.fetchrow(read.reached(resource).text)


async def place(connection: Connection, resource: Resource, after: str | None) -> export.Place | None:
    """Where to go on, if not from the beginning."""
    found = None if after is None else await export.place(connection, resource, after)
    if after is not None and found is None:
        raise problems.wrong("after", f"there is no {resource.object} with this id")
    return found


async def lines(
    connection: Connection, resource: Resource, asked: Page, values: dict[str, Any], after: export.Place | None
) -> AsyncIterator[bytes]:
    """The objects, a line each, and a last line that says how many there were: without it, it is not all."""
    count, deleted = 0, asked.include_deleted
    async for bodies in export.bodies(connection, resource, values, asked.order, include_deleted=deleted, after=after):
        count += len(bodies)
        yield ("\n".join(bodies) + "\n").encode()
    yield jsontext.dumps({"object": "export_end", "resource": resource.name, "count": count}).encode() + b"\n"
