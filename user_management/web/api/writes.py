"""Writes: forwarded to WorkOS, done once, in the copy before they are answered. A new one is a declaration."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from user_management.journal import writes
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.commands import Command
from user_management.web import ledger, problems
from user_management.web.api import bodies, documents
from user_management.web.api.routes import Endpoint
from user_management.web.attempts import Asked
from user_management.web.dependencies import Backend, backend
from user_management.web.ledger import Told

T = TypeVar("T")

KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Write:
    """A request that makes an object at WorkOS: what it makes, what it may say, and the command it becomes."""

    resource: Resource
    body: type[BaseModel]
    command: Command

    @property
    def path(self) -> str:
        """Where it is asked for."""
        return f"/api/{self.resource.name}"


def add(router: APIRouter, write: Write) -> None:
    """Add the route of a write."""
    router.add_api_route(
        write.path, endpoint(write), methods=["POST"], **documents.of_create(write.resource, write.body)
    )


def endpoint(write: Write) -> Endpoint:
    """The route: check, forward, answer."""

    async def done(request: Request) -> Response:
        key = key_of(request)
        fields = bodies.checked(write.body, await bodies.read(request))
        found, asked = backend(request), asking(write, request, fields)
        wanted = None if key is None else keyed(found, request, key, fields)
        return response(await heard_out(found, ledger.once(found, asked, wanted)))

    return done


def asking(write: Write, request: Request, fields: dict[str, Any]) -> Asked:
    """What this request asks for."""
    return Asked(write.resource, write.command, fields, request.url.path, request.state.request_id)


def keyed(found: Backend, request: Request, key: str, fields: dict[str, Any]) -> writes.Request:
    """The request as the ledger knows it."""
    asked = f"{request.method} {request.url.path}"
    return writes.Request(key, asked, ledger.digest(found.secret, asked, fields))


def key_of(request: Request) -> str | None:
    """The caller's key, or None; a problem when it cannot be one."""
    given = request.headers.getlist(KEY)
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not key.strip() or len(key) > LONGEST or not (key.isascii() and key.isprintable()):
        raise problems.wrong(KEY, f"must be one value of 1 to {LONGEST} printable ASCII characters")
    return key


async def heard_out(found: Backend, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; a caller who hangs up must not part what WorkOS did from what the copy notes."""
    task = asyncio.create_task(work)
    found.writes.add(task)
    task.add_done_callback(found.writes.discard)
    return await asyncio.shield(task)


def response(told: Told) -> Response:
    """The answer, as it was given the first time."""
    headers = {**told.reply.headers, "Cache-Control": "no-store"} | ({REPLAYED: "true"} if told.replayed else {})
    return Response(told.reply.body, told.reply.status, headers)
