"""Monitoring: whether the API is alive, and whether the copy is complete and fresh."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.db.session import DatabaseUnavailable
from user_management.journal import watch
from user_management.journal.freshness import Freshness, State
from user_management.journal.timestamps import render
from user_management.telemetry import exposition
from user_management.web import problems
from user_management.web.api import documents, routes
from user_management.web.dependencies import backend
from user_management.web.freshness import headers
from user_management.web.problems import Problem
from user_management.web.scopes import Scope


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: str = "alive"


class Ready(BaseModel):
    """The copy is complete and fresh."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ready",
                    "state": "live",
                    "as_of": "2026-11-21T10:30:17.761Z",
                    "age": 1,
                    "position": 6448,
                    "source": "workos",
                }
            ]
        }
    )

    status: str = "ready"
    state: State
    as_of: AwareDatetime
    age: int
    position: int
    source: Annotated[
        Literal["workos", "sandbox"], Field(description="What is copied: WorkOS, or a sandbox with made-up people.")
    ]


def add(router: APIRouter) -> None:
    """Add the routes that are asked by machines."""
    routes.add(router, "/api/health", health, Scope.PUBLIC, **documents.of_health(Health))
    also = documents.of_health(Health) | {"operation_id": "healthcheck", "summary": "The same as `/api/health`"}
    routes.add(router, "/api/healthcheck", health, Scope.PUBLIC, **also)
    routes.add(router, "/api/ready", ready, Scope.PUBLIC, **documents.of_ready(Ready))
    routes.add(router, "/api/problems/{name}", explain, Scope.PUBLIC, **documents.of_problems())
    routes.add(router, "/metrics", metrics, Scope.PUBLIC, **documents.of_metrics())


async def health(_request: Request) -> Response:
    """Whether the process answers; it says nothing about the database, WorkOS or the copy."""
    return Response(b'{"status":"alive"}', media_type="application/json", headers={"Cache-Control": "no-store"})


async def ready(request: Request) -> Response:
    """Whether the copy is complete and fresh enough to be used."""
    if not await backend(request).watcher.look():
        raise DatabaseUnavailable("The database does not answer.")
    return answer(watch.judged(), watch.seen.position, sandbox=backend(request).sandbox)


def answer(found: Freshness, position: int, *, sandbox: bool) -> Response:
    """200 for a live copy, else a problem with the reason in words; either says whether people are made up."""
    told = {"state": found.state.value, "as_of": found.as_of and render(found.as_of), "age": found.age}
    told |= {"position": position, "source": "sandbox" if sandbox else "workos"}
    sent = {**headers(found, position), "Cache-Control": "no-store"}
    if found.reason is not None:
        raise Problem(problems.NOT_READY, f"Not ready: {found.reason}.", headers=sent, members=told)
    return Response(jsontext.dumps({"status": "ready", **told}), headers=sent, media_type="application/json")


async def metrics(request: Request) -> Response:
    """What was counted, by every worker process that serves this port, as Prometheus reads it."""
    await backend(request).watcher.look()
    text = await exposition.everything(backend(request).workers)
    return Response(text, media_type=exposition.CONTENT_TYPE, headers={"Cache-Control": "no-store"})


async def explain(request: Request) -> Response:
    """What a kind of problem means and what to do about it."""
    kind = problems.KINDS.get(request.path_params["name"])
    if kind is None:
        raise Problem(problems.NO_ROUTE, "There is no such kind of problem.")
    return Response(jsontext.dumps(problems.described(kind)), media_type="application/json")
