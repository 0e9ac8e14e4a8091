"""Failures: the entries that could not be applied, to be looked at, tried again or left, as on the command line."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal import entries, failures
from user_management.journal.entries import Entry
from user_management.journal.failures import Case, NoSuchFailure
from user_management.journal.history import LAST
from user_management.mirror.engine import retry
from user_management.web import answers, problems
from user_management.web.api import documents, parameters, routes
from user_management.web.api.routes import Endpoint
from user_management.web.api.why import timed
from user_management.web.dependencies import backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

log = structlog.get_logger(__name__)

NUMBER = re.compile(r"[0-9]{1,19}")
PATH = "/api/failures"


class Page(BaseModel):
    """What a request for the list may ask."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100, description="How many entries to answer with, at most.", examples=[50])
    order: Literal["asc", "desc"] = Field("asc", description="By position: `asc` is oldest first.")
    after: int | None = Field(
        None, ge=0, le=LAST, description="The position after which to go on: `list_metadata.after` of a page."
    )
    before: int | None = Field(
        None, ge=0, le=LAST, description="The position before which to go back: `list_metadata.before` of a page."
    )


class Nothing(BaseModel):
    """A request that asks nothing more."""

    model_config = ConfigDict(extra="forbid")


class Failed(BaseModel):
    """How one resource failed to apply the entry, and what became of that."""

    resource: str
    error: str
    attempts: int
    parked_at: AwareDatetime
    resolved_at: AwareDatetime | None
    resolution: str | None = Field(description="`retried`, `skipped`; null while it is parked.")


EXAMPLE: dict[str, Any] = {
    "object": "failure", "position": 4711, "parked": True, "lane": "events", "type": "user.updated",
    "event_id": "event_01KAKXAF9FYWMQHBVFM5A7XHRP", "object_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
    "occurred_at": "2026-11-18T12:40:59.004Z",
    "failures": [
        {
            "resource": "users", "error": "updated_at is not a timestamp: 'soon'", "attempts": 1,
            "parked_at": "2026-11-18T12:41:01.310Z", "resolved_at": None, "resolution": None,
        }
    ],
    "body": {"object": "event", "id": "event_01KAKXAF9FYWMQHBVFM5A7XHRP", "event": "user.updated"},
}  # fmt: skip


class Failure(BaseModel):
    """An entry that could not be applied, with the error of each resource that could not."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    object: Literal["failure"]
    position: int
    parked: bool = Field(description="Whether it still waits for an operator.")
    lane: str
    type: str
    event_id: str | None
    object_id: str | None
    occurred_at: AwareDatetime
    failures: list[Failed]
    body: Any = Field(None, description="What WorkOS said, word for word; not in lists.")


def add(router: APIRouter) -> None:
    """Add the routes of what is parked."""
    routes.add(router, PATH, listed, Scope.ADMIN, **of_list())
    routes.add(router, f"{PATH}/{{position}}", shown, Scope.ADMIN, **of_one())
    routes.add(
        router, f"{PATH}/{{position}}/retry", acting("retry", tried), Scope.ADMIN, methods=["POST"], **of_retry()
    )
    routes.add(router, f"{PATH}/{{position}}/skip", acting("skip", skipped), Scope.ADMIN, methods=["POST"], **of_skip())


async def listed(request: Request) -> Response:
    """What is parked, a page of it."""
    asked = parameters.read(Page, request.query_params)
    if asked.after is not None and asked.before is not None:
        raise problems.wrong("before", "cannot be combined with `after`")
    async with backend(request).connections.one() as connection:
        found = await around(connection, asked)
        kept, ends = cut(found, asked)
        documents_ = await told(connection, kept)
    page = {"object": "list", "data": documents_, "list_metadata": ends}
    return answers.answer(jsontext.dumps(page).encode(), {})


async def around(connection: Connection, asked: Page) -> list[int]:
    """The positions on the side of the cursor that was asked for, nearest first, and one more."""
    forwards = asked.before is None
    ascending = (asked.order == "asc") == forwards
    cursor = asked.after if forwards else asked.before
    after, before = (-1, LAST) if cursor is None else (cursor, LAST) if ascending else (-1, cursor)
    return await failures.positions(connection, after=after, before=before, count=asked.limit + 1, ascending=ascending)


def cut(found: Sequence[int], asked: Page) -> tuple[list[int], dict[str, str | None]]:
    """The positions of a page in the order of the list, and where its neighbours begin."""
    more, kept = len(found) > asked.limit, list(found[: asked.limit])
    if asked.before is not None:
        kept.reverse()
    earlier, later = (more, True) if asked.before is not None else (asked.after is not None, more)
    before = str(kept[0]) if kept and earlier else None
    return kept, {"before": before, "after": str(kept[-1]) if kept and later else None}


async def told(connection: Connection, positions: Sequence[int]) -> list[dict[str, Any]]:
    """The documents of parked entries, without what WorkOS said."""
    cases = await failures.cases(connection, positions)
    found = [(await entries.get(connection, position), cases.get(position, [])) for position in positions]
    return [document(entry, failed) for entry, failed in found if entry is not None]


def document(entry: Entry, cases: Sequence[Case]) -> dict[str, Any]:
    """An entry that could not be applied, as it is told."""
    return {
        "object": "failure",
        "position": entry.position,
        "parked": any(case.resolved_at is None for case in cases),
        "lane": entry.lane.value,
        "type": entry.type,
        "event_id": entry.event_id,
        "object_id": entry.object_id,
        **timed({"occurred_at": entry.occurred_at}),
        "failures": [timed(asdict(case)) for case in cases],
    }


async def shown(request: Request) -> Response:
    """One entry that could not be applied, as WorkOS worded it."""
    parameters.read(Nothing, request.query_params)
    position = position_of(request)
    async with backend(request).connections.one() as connection:
        return await whole(connection, position)


async def whole(connection: Connection, position: int) -> Response:
    """The answer that tells everything of an entry that could not be applied, now or once."""
    entry = await entries.get(connection, position)
    cases = (await failures.cases(connection, [position])).get(position)
    if entry is None or not cases:
        raise not_parked(position)
    return answers.answer(jsontext.dumps(document(entry, cases) | {"body": entry.body}).encode(), {})


def acting(word: str, act: Callable[[Connection, int], Awaitable[object]]) -> Endpoint:
    """The route that does something about a parked entry, and tells how it stands then."""

    async def endpoint(request: Request) -> Response:
        parameters.read(Nothing, request.query_params)
        position = position_of(request)
        async with backend(request).connections.one() as connection:
            try:
                async with connection.transaction():
                    await act(connection, position)
            except NoSuchFailure as error:
                raise not_parked(position) from error
            answer = await whole(connection, position)
        log.info("failure.handled", position=position, by=word)
        return answer

    return endpoint


async def tried(connection: Connection, position: int) -> None:
    """Apply it again; what still fails is parked again."""
    await retry.retry(connection, position)


async def skipped(connection: Connection, position: int) -> None:
    """Leave it unapplied for good."""
    await retry.skip(connection, position)


def position_of(request: Request) -> int:
    """The position in the path; a problem for what cannot be one."""
    given = request.path_params["position"]
    if not NUMBER.fullmatch(given) or int(given) > LAST:
        raise Problem(problems.NOT_PARKED, "This is no position of the journal.")
    return int(given)


def not_parked(position: int) -> Problem:
    """The problem of an entry with which nothing is wrong, or which there is not."""
    return Problem(problems.NOT_PARKED, f"No entry is parked at position {position}.")


def of_list() -> dict[str, Any]:
    """The description of the list."""
    example = {key: value for key, value in EXAMPLE.items() if key != "body"}
    page = {"object": "list", "data": [example], "list_metadata": {"before": None, "after": None}}
    return {
        "operation_id": "list_failures",
        "tags": ["failures"],
        "summary": "List what could not be applied",
        "description": "The entries that are parked, oldest first unless told otherwise. They stay in the journal word "
        "for word, and everything after them was applied.",
        "response_model": documents.page_model(Failure),
        "responses": {200: documents.answered("A page of the list.", page, {}), **documents.failures(documents.READ)},
        "openapi_extra": {"parameters": parameters.documented(Page)},
    }


def of_one() -> dict[str, Any]:
    """The description of one failure."""
    return described(
        "get_failure", "Show what could not be applied",
        "The entry as WorkOS worded it, and the error of each resource; also after it was retried or skipped.",
    )  # fmt: skip


def of_retry() -> dict[str, Any]:
    """The description of a retry."""
    return described(
        "retry_failure", "Apply a parked entry again",
        "Under the same guards as the first time: it never overwrites what is newer. `parked` says whether it still "
        "fails; then `failures` has the new error.",
    )  # fmt: skip


def of_skip() -> dict[str, Any]:
    """The description of giving up on an entry."""
    return described(
        "skip_failure", "Leave a parked entry unapplied",
        "For good. The journal keeps it; `user-management backfill` then fetches the object as it is at WorkOS now.",
    )  # fmt: skip


def described(name: str, summary: str, description: str) -> dict[str, Any]:
    """The description of a route that answers with one failure."""
    path = {"name": "position", "in": "path", "required": True, "schema": {"type": "string"}, "example": "4711"}
    kinds = (problems.NOT_PARKED, *documents.READ)
    return {
        "operation_id": name,
        "tags": ["failures"],
        "summary": summary,
        "description": description,
        "response_model": Failure,
        "responses": {200: documents.answered("The entry.", EXAMPLE, {}), **documents.failures(kinds)},
        "openapi_extra": {"parameters": [path]},
    }
