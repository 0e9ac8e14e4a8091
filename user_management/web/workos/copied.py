"""Reads of what we mirror, answered from the copy as WorkOS would; None wherever WorkOS might answer otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from asyncpg import Record
from fastapi import Request, Response

from user_management.db import jsontext
from user_management.db.session import DatabaseUnavailable, Unreachable
from user_management.journal import completeness
from user_management.journal.redaction import REDACTED
from user_management.mirror.engine import catalog, read
from user_management.mirror.engine.resource import Resource
from user_management.web import freshness
from user_management.web.api import reads
from user_management.web.dependencies import backend
from user_management.web.workos import asked, callers
from user_management.web.workos.places import FOREIGN, NEEDED, Place

SOURCE = "Replica-Source"
COPY, WORKOS = "copy", "workos"
Away = (*Unreachable, asyncpg.PostgresError, DatabaseUnavailable)
"""What keeps the copy from answering; then WorkOS does."""


async def answer(request: Request, place: Place) -> Response | None:
    """What the copy answers at a place."""
    if request.scope["raw_path"].count(b"/") != place.depth:
        return None
    try:
        if not (place.resource.listing.essential or await complete(request, place.resource)):
            return None
        return await (listed(request, place) if place.by is None else found(request, place, place.by))
    except Away:
        return None


async def listed(request: Request, place: Place) -> Response | None:
    """A page of a list."""
    wanted = asked.page(place, request.query_params, request.path_params)
    if wanted is None:
        return None
    resource = place.resource
    statement = read.page(
        resource, tuple(wanted.filters), wanted.order, wanted.side, wanted.limit + 1, include_deleted=False
    )
    row = await reads.fetch(request, statement, {**wanted.filters, "cursor": wanted.cursor})
    bodies = row["bodies"] or []
    if not (usable(request, row) and row["known"] and whole(resource, bodies)):
        return None
    if wanted.cursor is not None and not await lives(request, resource, wanted.cursor):
        return None
    if not bodies and not await have_parents(request, wanted.parents):
        return None
    return told(request, row, reads.rendered(*reads.cut(row["ids"] or [], bodies, wanted.limit, wanted.side)))


async def found(request: Request, place: Place, by: str) -> Response | None:
    """One object, or that there is none."""
    value = request.path_params[by]
    if request.query_params or not reads.lookable(value) or "\ufffd" in value:
        return None
    row = await reads.fetch(request, read.one(place.resource, by, include_deleted=False), {"value": value})
    if not usable(request, row):
        return None
    if row["body"] is None or row["deleted_at"] is not None:
        # WorkOS's words for what is not there are documented for the essential resources only.
        sure = place.resource.listing.essential
        return told(request, row, missing(place.resource, value), status=404) if sure else None
    right = whole(place.resource, [row["body"]]) and lies_within(request, place, row["body"])
    return told(request, row, row["body"].encode()) if right else None


async def complete(request: Request, resource: Resource) -> bool:
    """Whether the copy holds everything of a resource that it can be without."""
    async with backend(request).connections.one() as connection:
        return await completeness.complete(connection, resource.name, resource.events)


def lies_within(request: Request, place: Place, body: str) -> bool:
    """Whether an object lies in the one that the path names."""
    if not place.within:
        return True
    found = jsontext.loads(body)
    return all(found.get(name) == request.path_params[name] for name in place.within)


def usable(request: Request, row: Record) -> bool:
    """Whether what was read is young enough to be told as WorkOS's own."""
    server = backend(request)
    return callers.young(freshness.judged(row, server.stale_after), server)


def whole(resource: Resource, bodies: Sequence[str]) -> bool:
    """Whether objects are all that WorkOS would show: no secret left out, no key that no event has told."""
    if any(REDACTED in body for body in bodies):
        return False
    needed = resource.rest_only | {embed.key for embed in resource.embeds} | NEEDED.get(resource.name, frozenset())
    foreign = FOREIGN.get(resource.name, frozenset())
    if not needed | foreign:
        return True
    keys = [jsontext.loads(body).keys() for body in bodies]
    return all(needed <= one and foreign.isdisjoint(one) for one in keys)


async def lives(request: Request, resource: Resource, object_id: str) -> bool:
    """Whether an object is in the copy, and not deleted."""
    row = await reads.fetch(request, read.one(resource, "id", include_deleted=False), {"value": object_id})
    return row["body"] is not None and row["deleted_at"] is None


async def have_parents(request: Request, parents: Sequence[tuple[str, str]]) -> bool:
    """Whether each object that a list is narrowed by is there; of one that is not, WorkOS may say more than nothing."""
    for name, object_id in parents:
        resource = catalog.by_name(name)
        if resource is None or not await lives(request, resource, object_id):
            return False
    return True


def told(request: Request, row: Record, content: bytes, *, status: int = 200) -> Response:
    """An answer from the copy, with its age."""
    return of_copy(content, freshness.of_row(row, backend(request).stale_after), status=status)


def of_copy(content: bytes, headers: Mapping[str, str], *, status: int = 200) -> Response:
    """JSON from the copy, as what it is."""
    sent = {**headers, SOURCE: COPY, "Cache-Control": "no-store"}
    return Response(content, status, sent, media_type="application/json")


def missing(resource: Resource, value: str) -> bytes:
    """WorkOS's words for an object that is not there."""
    words: dict[str, Any] = {"message": f"{resource.object.replace('_', ' ').capitalize()} not found: '{value}'."}
    return jsontext.dumps(words).encode()
