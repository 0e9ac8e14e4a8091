"""Why: how an object came to be as it is, for every resource alike and from the copy alone."""

from dataclasses import asdict
from typing import Any, Literal

from asyncpg import Record
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal.history import LAST, Said
from user_management.journal.timestamps import render
from user_management.mirror.engine import read, why
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.why import Erased, Explanation, NeverSeen
from user_management.web import answers, freshness, problems
from user_management.web.api import documents, parameters, reads, routes
from user_management.web.api.documents import Ends
from user_management.web.api.routes import Endpoint
from user_management.web.dependencies import backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope


class Asked(BaseModel):
    """What a request for an explanation may ask."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="How many entries to answer with, at most.", examples=[20])
    after: int | None = Field(
        None, ge=0, le=LAST, description="The position after which to go on: `entries.list_metadata.after` of a page."
    )
    include: Literal["body"] | None = Field(
        None, description="`body` adds what WorkOS said, word for word, to each entry."
    )


class Entry(BaseModel):
    """One thing WorkOS told us, and what the guards decided about it."""

    position: int = Field(description="Its place in the journal.")
    lane: str = Field(description="How it came: `events`, `list`, `reply` or `webhook`.")
    type: str
    event_id: str | None
    object_id: str | None
    occurred_at: AwareDatetime = Field(description="When it happened, as WorkOS says.")
    recorded_at: AwareDatetime = Field(description="When it was written down here.")
    verdict: str = Field(description="What became of it, in words.")


class EntryList(BaseModel):
    """Entries, newest first."""

    object: Literal["list"]
    data: list[Entry]
    list_metadata: Ends


class Parked(BaseModel):
    """An entry that could not be applied and waits for an operator."""

    position: int
    type: str
    error: str
    attempts: int
    parked_at: AwareDatetime


class Parent(BaseModel):
    """The parent that the object ended with."""

    resource: str
    id: str
    deleted_at: AwareDatetime
    position: int


ENTRY: dict[str, Any] = {
    "position": 6448, "lane": "events", "type": "user.updated", "event_id": "event_01KAKXAF9FYWMQHBVFM5A7XHRP",
    "object_id": "user_01E4ZCR3C56J083X43JQXF3JK5", "occurred_at": "2026-11-18T12:40:59.004Z",
    "recorded_at": "2026-11-18T12:41:01.310Z", "verdict": "applied",
}  # fmt: skip
EXAMPLE: dict[str, Any] = {
    "object": "explanation", "resource": "users", "id": "user_01E4ZCR3C56J083X43JQXF3JK5", "state": "live",
    "position": 6448, "deleted_at": None, "ended_by": None, "last_event": ENTRY, "verified_at": None, "parked": [],
    "entries": {"object": "list", "data": [ENTRY], "list_metadata": {"before": None, "after": None}},
}  # fmt: skip


class Why(BaseModel):
    """How an object came to be as it is."""

    model_config = ConfigDict(title="Explanation", json_schema_extra={"examples": [EXAMPLE]})

    object: Literal["explanation"]
    resource: str
    id: str
    state: Literal["live", "deleted", "absent"] = Field(
        description="`absent`: WorkOS told of it, and nothing of that could be made into an object."
    )
    position: int | None = Field(description="The entry that the object as it stands comes from.")
    deleted_at: AwareDatetime | None
    ended_by: Parent | None = Field(
        description="The parent whose end was its end; null if it lives or ended by itself."
    )
    last_event: Entry | None
    verified_at: AwareDatetime | None = Field(description="When it was last held against WorkOS; null: not yet.")
    parked: list[Parked]
    entries: EntryList


def add(router: APIRouter, resource: Resource) -> None:
    """Add a resource's route."""
    routes.add(router, f"/api/{resource.name}/{{id}}/why", explained(resource), Scope.ADMIN, **described(resource))


def explained(resource: Resource) -> Endpoint:
    """The route that explains one object."""

    async def endpoint(request: Request) -> Response:
        asked = parameters.read(Asked, request.query_params)
        object_id = request.path_params["id"]
        if not reads.lookable(object_id):
            raise reads.missing(resource, "id", {})
        async with (
            backend(request).connections.one() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            headers = freshness.of_row(await reached(connection, resource), backend(request).stale_after)
            found = await explanation(connection, resource, object_id, asked, headers)
        return answers.answer(rendered(found, bodies=asked.include is not None), headers)

    return endpoint


async def reached(connection: Connection, resource: Resource) -> Record:
    """How fresh the resource is."""
    row = await connection.fetchrow(read.reached(resource).text)
    if row is None:
        raise AssertionError("every statement of `read` answers with one row")
    return row


async def explanation(
    connection: Connection, resource: Resource, object_id: str, asked: Asked, headers: dict[str, str]
) -> Explanation:
    """The explanation; a problem for what was never seen, or is kept no more."""
    after, bodies = LAST if asked.after is None else asked.after, asked.include is not None
    try:
        return await why.explain(connection, resource, object_id, limit=asked.limit, after=after, bodies=bodies)
    except Erased as error:
        raise Problem(problems.ERASED, str(error), headers=headers) from error
    except NeverSeen as error:
        raise never_seen(resource, headers) from error


def never_seen(resource: Resource, headers: dict[str, str]) -> Problem:
    """The problem of an object that nothing is known of, with what that can mean."""
    return Problem(
        problems.NEVER_SEEN,
        f"No event, list or reply of WorkOS's ever named a {resource.object} with this id. Either this environment has "
        "none, or it is newer than the copy (see `Replica-As-Of`), or the first backfill has not come to it yet.",
        headers=headers,
    )


def rendered(found: Explanation, *, bodies: bool) -> bytes:
    """The explanation as JSON."""
    after = str(found.entries[-1].position) if found.more else None
    document = {
        "object": "explanation",
        "resource": found.resource,
        "id": found.id,
        "state": found.state.value,
        "position": found.position,
        "deleted_at": found.deleted_at and render(found.deleted_at),
        "ended_by": found.ended_by and timed(asdict(found.ended_by)),
        "last_event": found.last_event and entry(found.last_event, bodies=False),
        "verified_at": found.verified_at and render(found.verified_at),
        "parked": [timed(asdict(one)) for one in found.parked],
        "entries": {
            "object": "list",
            "data": [entry(one, bodies=bodies) for one in found.entries],
            "list_metadata": {"before": None, "after": after},
        },
    }
    return jsontext.dumps(document).encode()


def entry(one: Said, *, bodies: bool) -> dict[str, Any]:
    """An entry as it is told, its verdict in words."""
    told = timed(asdict(one)) | {"lane": one.lane.value, "verdict": why.WORDS[one.verdict], "body": one.body}
    return told if bodies else {key: value for key, value in told.items() if key != "body"}


def timed(values: dict[str, Any]) -> dict[str, Any]:
    """The values with times as WorkOS writes them."""
    return {key: render(value) if key.endswith("_at") and value is not None else value for key, value in values.items()}


def described(resource: Resource) -> dict[str, Any]:
    """The description of the route."""
    noun, example = documents.words(resource.object), resource.name_of(documents.example_of(resource.shape))
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "example": example}
    told = documents.example_of(Why) | {"resource": resource.name, "id": example}
    return {
        "name": f"explain_{resource.object}",
        "operation_id": f"explain_{resource.object}",
        "tags": [resource.name],
        "summary": f"Why is this {noun} as it is?",
        "description": f"What WorkOS told us of the {noun}, when, by which lane, and what was decided about it, newest "
        "first; the entry that it comes from; what is parked; which parent it ended with. From the copy alone. What "
        f"events about other objects did to the {noun} in passing (a sign-in raises `last_sign_in_at`) is not among "
        "the entries: they are about those objects, and the journal has no index by what they name.",
        "response_model": Why,
        "responses": {
            200: documents.answered(f"How the {noun} came to be as it is.", told, documents.FRESHNESS),
            **documents.failures(
                (problems.NEVER_SEEN, problems.ERASED, problems.NOT_FOUND, *documents.READ), documents.FRESHNESS
            ),
        },
        "openapi_extra": {"parameters": [path, *parameters.documented(Asked)]},
    }
