"""Reads: a list, one object, and one by its owner's own id, for every resource alike and from the copy alone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from asyncpg import Record
from fastapi import APIRouter, Request, Response

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal.timestamps import render
from user_management.mirror.engine import filters, read
from user_management.mirror.engine.read import Statement
from user_management.mirror.engine.resource import UNSTORABLE, Resource
from user_management.mirror.engine.walk import Cursor
from user_management.web import answers, freshness, links, problems
from user_management.web.api import documents, exports, parameters, routes
from user_management.web.api.routes import Endpoint
from user_management.web.dependencies import backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

Expand: TypeAlias = Callable[[Request, str, Sequence[str]], Awaitable[Response]]
"""Answers with one object and what belongs to it."""


class Around(NamedTuple):
    """The cursors of the pages around one; None at the ends of the list."""

    before: str | None
    after: str | None


def add(router: APIRouter, resource: Resource, expand: Expand | None = None) -> None:
    """Add a resource's routes; with `expand`, one object can be asked for with what belongs to it."""
    path = f"/api/{resource.name}"
    routes.add(router, path, listed(resource), Scope.READ, **documents.of_list(resource))
    if resource.has_external_id:
        by_external_id = f"{path}/external_id/{{external_id:path}}"
        routes.add(
            router,
            by_external_id,
            found(resource, "external_id"),
            Scope.READ,
            **documents.of_one(resource, "external_id"),
        )
    described = documents.of_one(resource, "id", expands=expand is not None)
    routes.add(router, f"{path}/{{id}}", found(resource, "id", expand), Scope.READ, **described)


def listed(resource: Resource) -> Endpoint:
    """The route that lists a resource."""
    model = parameters.page(resource)
    names = tuple(one.name for one in filters.of(resource))

    async def endpoint(request: Request) -> Response:
        asked = parameters.asked(model, request)
        cursor = side(asked)
        narrowed = {name: value for name in names if (value := getattr(asked, name)) is not None}
        if answers.wants(answers.asked_for(request)[0], exports.MEDIA_TYPE):
            return await exports.answer(request, resource, asked, narrowed)
        row, total = await fetched(request, resource, asked, cursor, narrowed)
        if not row["known"]:
            raise problems.wrong(cursor or "after", f"there is no {resource.object} with this id")
        return page(request, resource, asked, row, total)

    return endpoint


async def fetched(
    request: Request, resource: Resource, asked: parameters.Page, cursor: Cursor | None, narrowed: dict[str, Any]
) -> tuple[Record, int | None]:
    """The row of a page, and how many objects the list has if that was asked for."""
    names, deleted, count = tuple(narrowed), asked.include_deleted, asked.limit + 1
    offset, exact = asked.offset is not None, asked.count == "exact"
    statement = read.page(
        resource, names, asked.order, cursor, count, include_deleted=deleted, offset=offset, counted=exact
    )
    values = {**narrowed, "cursor": asked.after or asked.before, "offset": asked.offset}
    if asked.count is None:
        return await fetch(request, statement, values), None
    async with backend(request).connections.one() as connection:
        row = await only(connection, statement, values)
        return row, row["total"] if exact else await estimated(connection, resource, names, values, deleted=deleted)


async def estimated(
    connection: Connection, resource: Resource, names: tuple[str, ...], values: Mapping[str, Any], *, deleted: bool
) -> int:
    """How many objects a list has, as PostgreSQL's planner believes."""
    statement = read.estimated(resource, names, include_deleted=deleted)
    [plan] = jsontext.loads(await connection.fetchval(statement.text, *statement.bind(values)))
    return int(plan["Plan"]["Plan Rows"])


def found(resource: Resource, by: str, expand: Expand | None = None) -> Endpoint:
    """The route that answers with one object."""
    model = parameters.Expanded if expand else parameters.Single

    async def endpoint(request: Request) -> Response:
        asked = parameters.asked(model, request)
        value = request.path_params[by]
        if not lookable(value):
            raise missing(resource, by, {})
        if expand and isinstance(asked, parameters.Expanded) and asked.expand:
            if asked.include_deleted:
                raise problems.wrong("expand", "cannot be combined with `include_deleted`")
            return await expand(request, value, asked.expand)
        row = await fetch(request, read.one(resource, by, include_deleted=asked.include_deleted), {"value": value})
        headers = freshness.of_row(row, backend(request).stale_after)
        if row["body"] is None:
            raise missing(resource, by, headers)
        if row["deleted_at"] is not None and not asked.include_deleted:
            raise deleted(resource, row, headers)
        return single(request, resource, row["body"], headers)

    return endpoint


def single(request: Request, resource: Resource, body: str, headers: Mapping[str, str]) -> Response:
    """One object, with its links for whoever wants them."""
    accept, tags = answers.asked_for(request)
    hal = answers.wants(accept, links.HAL)
    if hal:
        body = links.linked(resource, backend(request).resources, body, links.upwards(request))
    content = body.encode()
    tag = answers.tagged(answers.digest(content))
    return answers.answer(content, headers, tag=tag, tags=tags, media_type=links.HAL if hal else answers.JSON)


async def fetch(request: Request, statement: Statement, values: Mapping[str, Any]) -> Record:
    """The one row a statement answers with, on a connection of its own."""
    async with backend(request).connections.one() as connection:
        return await only(connection, statement, values)


async def only(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> Record:
    """The one row a statement answers with."""
    row = await connection.fetchrow(statement.text, *statement.bind(values))
    if row is None:
        raise AssertionError("every statement of `read` answers with one row")
    return row


def side(asked: parameters.Narrow) -> Cursor | None:
    """On which side of its cursor the page lies."""
    if asked.after is not None and asked.before is not None:
        raise problems.wrong("before", "cannot be combined with `after`")
    if asked.offset is not None and (asked.after is not None or asked.before is not None):
        raise problems.wrong("offset", "cannot be combined with `after` or `before`")
    return "after" if asked.after is not None else "before" if asked.before is not None else None


def lookable(value: str) -> bool:
    """Whether a value from the path can be an id at all."""
    return 0 < len(value) <= parameters.LONGEST and UNSTORABLE.search(value) is None


def page(request: Request, resource: Resource, asked: parameters.Page, row: Record, total: int | None) -> Response:
    """A page as WorkOS words it, with the links to those around it."""
    accept, tags = answers.asked_for(request)
    hal = answers.wants(accept, links.HAL)
    bodies, around = cut(row["ids"] or [], row["bodies"] or [], asked.limit, side(asked), asked.offset or 0)
    led = links.pages(request, around.before, around.after)
    if hal:
        resources, up = backend(request).resources, links.upwards(request)
        bodies = [links.linked(resource, resources, body, up) for body in bodies]
    counted = None if total is None else {"total_count": total, "total_count_is": asked.count}
    content = rendered(bodies, around, counted, led if hal else None)
    same = answers.digest(content) if hal or read.composed(resource) else f"{row['version'] or 0:x}-{total}"
    headers = freshness.of_row(row, backend(request).stale_after) | {"Link": links.header(led)}
    media_type = links.HAL if hal else answers.JSON
    return answers.answer(content, headers, tag=answers.tagged(same), tags=tags, media_type=media_type)


def cut(
    ids: list[str], bodies: list[str], limit: int, cursor: Cursor | None, offset: int = 0
) -> tuple[list[str], Around]:
    """The objects of a page and the pages around it; the one object more than asked for only tells of more."""
    back = cursor == "before"
    more = len(ids) > limit
    kept = slice(1, None) if back and more else slice(0, limit)
    ids, bodies = ids[kept], bodies[kept]
    # On the far side of the cursor there was, at least, the cursor's own object.
    earlier, later = (more, True) if back else (cursor is not None or offset > 0, more)
    return bodies, Around(ids[0] if ids and earlier else None, ids[-1] if ids and later else None)


def rendered(
    bodies: list[str], around: Around, total: dict[str, Any] | None = None, led: dict[str, str] | None = None
) -> bytes:
    """A list's JSON; its objects are JSON already."""
    ends: dict[str, Any] = {"before": around.before, "after": around.after, **(total or {})}
    own = "" if led is None else f',"_links":{jsontext.dumps({name: {"href": to} for name, to in led.items()})}'
    return f'{{"object":"list","data":[{",".join(bodies)}],"list_metadata":{jsontext.dumps(ends)}{own}}}'.encode()


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
