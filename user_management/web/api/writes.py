"""Writes: forwarded to WorkOS, done once, in the copy before they are answered. A new one is a declaration."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from user_management.journal import writes
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.commands import Command
from user_management.services.workos.errors import Refused
from user_management.services.workos.looks import Sight
from user_management.web import attempts, ledger, problems
from user_management.web.api import bodies, reads, routes, slugs, write_documents
from user_management.web.api.routes import Endpoint
from user_management.web.attempts import BEFORE, Around, Asked, NotSent, directly
from user_management.web.dependencies import Backend, backend
from user_management.web.ledger import Told
from user_management.web.problems import Kind
from user_management.web.scopes import Scope

T = TypeVar("T")

KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST = 255
DOTS = frozenset({".", ".."})
"""Segments that a URL swallows."""


Checks: TypeAlias = Callable[[Mapping[str, Any]], object]
Sends: TypeAlias = Callable[[dict[str, Any]], dict[str, Any] | None]
Names: TypeAlias = Callable[[Backend, Mapping[str, Any]], Awaitable[dict[str, str]]]


def unchecked(_fields: Mapping[str, Any]) -> None:
    """There is no rule of ours."""


def as_said(fields: dict[str, Any]) -> dict[str, Any]:
    """WorkOS is told what the caller said."""
    return fields


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changes something at WorkOS: what it may say, the command it becomes, and how it is described.

    `at` is its path below the resource's, or a whole one; `verb` says in a word what it does to the resource's object.
    """

    resource: Resource
    body: type[BaseModel] | None
    command: Command
    at: str = ""
    verb: str = "create"
    method: str = ""
    """Ours, if it is not WorkOS's."""
    reply: type[BaseModel] | None = None
    """What it answers with, if that is not the resource's object."""
    by_slug: bool = False
    """Whether WorkOS's path has the object's slug where ours has its `id`."""
    told: str = ""
    """What else there is to know of it, in sentences."""
    summary: str = ""
    tag: str = ""
    names: Names | None = None
    """The ids of the command's path, if the body says them and not our path."""
    checks: Checks = unchecked
    """What of the body is a rule of ours; it raises the problem of what breaks it."""
    sends: Sends = as_said
    """What WorkOS is told of what the caller said; a problem where that cannot be."""
    around: Around = directly
    fails: tuple[Kind, ...] = ()
    """The problems it can have beside those of every write."""
    leads_on: Mapping[str, Any] | None = None
    """What a 403 tells that is no refusal but asks for one more step."""

    @property
    def path(self) -> str:
        """Where it is asked for."""
        return self.at if self.at.startswith("/api/") else f"/api/{self.resource.name}{self.at}"

    @property
    def asked_by(self) -> str:
        """The method it is asked for with."""
        return self.method or self.command.method.upper()

    @property
    def forwards(self) -> bool:
        """Whether WorkOS is told exactly what the caller said."""
        return self.sends is as_said and self.names is None

    @property
    def needy(self) -> bool:
        """Whether it has to say something."""
        return self.body is not None and any(field.is_required() for field in self.body.model_fields.values())


def add(router: APIRouter, write: Write) -> None:
    """Add the route of a write."""
    documentation = write_documents.of_write(write)
    routes.add(router, write.path, endpoint(write), Scope.WRITE, methods=[write.asked_by], **documentation)


def endpoint(write: Write) -> Endpoint:
    """The route: check, forward, answer."""

    async def done(request: Request) -> Response:
        key, found = key_of(request), backend(request)
        ids = named(write, request)
        fields = await said(write, request)
        asked = asking(write, await commanded(found, write, ids), request, fields)
        wanted = None if key is None else keyed(found, request, key, fields or {})
        return response(await heard_out(found, ledger.once(found, asked, wanted)))

    return done


async def commanded(found: Backend, write: Write, ids: dict[str, str]) -> Command:
    """The command with the ids of our path; where the body says them, with none yet."""
    if write.names is not None:
        return write.command
    return write.command.of(await slugs.known(found, write.resource, ids) if write.by_slug else ids)


def surrounding(write: Write) -> Around:
    """What is around a write; before it, whom the body names, for a repeat may find its answer without that."""
    if (names := write.names) is None:
        return write.around

    @asynccontextmanager
    async def about(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
        try:
            ids = lookable(write, await names(found, asked.given or {}))
        except (NotSent, Refused) as error:
            if asked.tried:
                raise attempts.unknown(asked, Sight(), f"{BEFORE}, and now {error}") from error
            raise
        async with write.around(found, replace(asked, command=write.command.of(ids))) as ready:
            yield ready

    return about


def named(write: Write, request: Request) -> dict[str, str]:
    """The ids in the path; a problem when one cannot be an id at all."""
    return lookable(write, dict(request.path_params))


def lookable(write: Write, ids: dict[str, str]) -> dict[str, str]:
    """These ids; a problem when one cannot be an id at all."""
    for name, value in ids.items():
        if value in DOTS or not reads.lookable(value):
            raise NotSent(problems.NOT_FOUND, f"There is no {write.resource.object} with this {name}.")
    return ids


async def said(write: Write, request: Request) -> dict[str, Any] | None:
    """The body, exactly as it was sent; None where there is none and none is needed."""
    text = await bodies.raw(request)
    if not text and not write.needy:
        return None
    fields = bodies.parsed(text)
    return bodies.checked(write.body, fields) if write.body else fields


def asking(write: Write, command: Command, request: Request, fields: dict[str, Any] | None) -> Asked:
    """What this request asks for."""
    write.checks(fields or {})
    sent = None if fields is None else write.sends(fields)
    return Asked(
        write.resource, command, sent, request.url.path, request.state.request_id, given=fields,
        around=surrounding(write),
    )  # fmt: skip


def keyed(found: Backend, request: Request, key: str, fields: dict[str, Any]) -> writes.Request:
    """The request as the ledger knows it."""
    asked = f"{request.method} {request.url.path}"
    holder = getattr(request.state, "holder", None)
    stored = key if holder is None else ledger.owned(holder.bucket, key)
    return writes.Request(stored, asked, ledger.digest(found.secret, asked, fields))


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
    found.under_way.add(task)
    task.add_done_callback(found.under_way.discard)
    return await asyncio.shield(task)


def response(told: Told) -> Response:
    """The answer, as it was given the first time."""
    headers = {**told.reply.headers, "Cache-Control": "no-store"} | ({REPLAYED: "true"} if told.replayed else {})
    return Response(told.reply.body, told.reply.status, headers)
