"""Reads: a list, one object, and one by its owner's own id, for every resource alike and from the copy alone."""

from collections.abc import Mapping
from typing import Any

from asyncpg import Record
from fastapi import APIRouter, Request, Response

from user_management.db import jsontext
from user_management.journal.timestamps import render
from user_management.mirror.engine import read
from user_management.mirror.engine.read import Cursor, Statement
from user_management.mirror.engine.resource import UNSTORABLE, Resource
from user_management.web import freshness, problems
from user_management.web.api import documents, parameters
from user_management.web.api.routes import Endpoint
from user_management.web.dependencies import backend
from user_management.web.problems import Problem

UNCACHED = {"Cache-Control": "no-store"}
"""People's data is not for caches to keep; `Age` speaks of the copy."""


def add(router: APIRouter, resource: Resource) -> None:
    """Add a resource's routes."""
    path = f"/api/{resource.name}"
    router.add_api_route(path, listed(resource), **documents.of_list(resource))
    if resource.has_external_id:
        by_external_id = f"{path}/external_id/{{external_id:path}}"
        router.add_api_route(
            by_external_id, found(resource, "external_id"), **documents.of_one(resource, "external_id")
        )
    router.add_api_route(f"{path}/{{id}}", found(resource, "id"), **documents.of_one(resource, "id"))


def listed(resource: Resource) -> Endpoint:
    """The route that lists a resource."""
    model = parameters.page(resource)

    async def endpoint(request: Request) -> Response:
        asked = parameters.read(model, request.query_params)
        cursor = side(asked)
        filters = {one.name: value for one in resource.filters if (value := getattr(asked, one.name)) is not None}
        deleted, count = asked.include_deleted, asked.limit + 1
        statement = read.page(resource, tuple(filters), asked.order, cursor, count, include_deleted=deleted)
        values = {**filters, "cursor": asked.after or asked.before}
        row = await fetch(request, statement, values)
        if not row["known"]:
            raise problems.wrong(cursor or "after", f"there is no {resource.object} with this id")
        return answer(page(row, asked.limit, cursor), freshness.of_row(row, backend(request).stale_after))

    return endpoint


def found(resource: Resource, by: str) -> Endpoint:
    """The route that answers with one object."""

    async def endpoint(request: Request) -> Response:
        asked = parameters.read(parameters.Single, request.query_params)
        value = request.path_params[by]
        if not lookable(value):
            raise missing(resource, by, {})
        row = await fetch(request, read.one(resource, by, include_deleted=asked.include_deleted), {"value": value})
        headers = freshness.of_row(row, backend(request).stale_after)
        if row["body"] is None:
            raise missing(resource, by, headers)
        if row["deleted_at"] is not None and not asked.include_deleted:
            raise deleted(resource, row, headers)
        return answer(row["body"].encode(), headers)

    return endpoint


async def fetch(request: Request, statement: Statement, values: Mapping[str, Any]) -> Record:
    """The one row a statement answers with."""
    async with backend(request).connections.one() as connection:
        row = await connection.fetchrow(statement.text, *statement.bind(values))
    if row is None:
        raise AssertionError("every statement of `read` answers with one row")
    return row


def side(asked: parameters.Page) -> Cursor | None:
    """On which side of its cursor the page lies."""
    if asked.after is not None and asked.before is not None:
        raise problems.wrong("before", "cannot be combined with `after`")
    return "after" if asked.after is not None else "before" if asked.before is not None else None


def lookable(value: str) -> bool:
    """Whether a value from the path can be an id at all."""
    return 0 < len(value) <= parameters.LONGEST and UNSTORABLE.search(value) is None


def page(row: Record, limit: int, cursor: Cursor | None) -> bytes:
    """A list as WorkOS words it; the one object more than asked for only tells that there is more."""
    ids, bodies = row["ids"] or [], row["bodies"] or []
    more = len(ids) > limit
    kept = slice(1, None) if cursor == "before" and more else slice(0, limit)
    ids, bodies = ids[kept], bodies[kept]
    # On the far side of the cursor there was, at least, the cursor's own object.
    earlier, later = (more, True) if cursor == "before" else (cursor is not None, more)
    before, after = (ids[0] if ids and earlier else None), (ids[-1] if ids and later else None)
    ends = jsontext.dumps({"before": before, "after": after})
    return f'{{"object":"list","data":[{",".join(bodies)}],"list_metadata":{ends}}}'.encode()


def answer(content: bytes, headers: Mapping[str, str]) -> Response:
    """JSON from the copy, with its age."""
    return Response(content, headers={**headers, **UNCACHED}, media_type="application/json")


def missing(resource: Resource, by: str, headers: Mapping[str, str]) -> Problem:
    """The problem of an object that is not in the copy."""
    return Problem(problems.NOT_FOUND, f"There is no {resource.object} with this {by}.", headers=headers)


def deleted(resource: Resource, row: Record, headers: Mapping[str, str]) -> Problem:
    """The problem of an object that is no more."""
    when = render(row["deleted_at"])
    return Problem(
        problems.DELETED,
        f"This {resource.object} was deleted at {when}.",
        headers=headers,
        members={"deleted_at": when},
    )
