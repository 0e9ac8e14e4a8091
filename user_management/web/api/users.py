"""Users are created at WorkOS; the copy shows them at once."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import asyncpg
import structlog
from fastapi import APIRouter, Request, Response
from opentelemetry import trace
from pydantic import BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.db.session import DatabaseUnavailable, Unreachable
from user_management.journal import entries, redaction
from user_management.journal.entries import Lane
from user_management.mirror.engine.record import record, report
from user_management.mirror.users import resource
from user_management.services.workos import commands
from user_management.web.api import bodies, documents
from user_management.web.dependencies import Backend, backend

log = structlog.get_logger(__name__)

RECORDING = 10.0
"""Seconds the copy may take to note a reply before the caller is answered without; the event will bring it."""


class UserCreate(BaseModel):
    """A user to be. What WorkOS demands beyond an e-mail address, WorkOS checks."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "email": "marcelina@example.com",
                    "first_name": "Marcelina",
                    "last_name": "Davis",
                    "external_id": "customer-2311",
                    "metadata": {"timezone": "America/New_York"},
                }
            ]
        },
    )

    email: str = Field(min_length=1, description="Unique in the WorkOS environment; WorkOS stores it in lower case.")
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    email_verified: bool | None = None
    external_id: str | None = Field(None, description="Your own id of the user; unique in the environment.")
    metadata: dict[str, Any] | None = None
    password: str | None = Field(None, description="Never logged and never stored here.")
    password_hash: str | None = None
    password_hash_type: str | None = None


def add(router: APIRouter) -> None:
    """Add the routes that write users."""
    router.add_api_route("/api/users", create, methods=["POST"], **documents.of_create(resource, UserCreate))


async def create(request: Request) -> Response:
    """Create a user at WorkOS, and answer with it once it is in the copy."""
    fields = bodies.checked(UserCreate, await bodies.read(request))
    write = asyncio.create_task(created(backend(request), fields))
    pending = backend(request).writes
    pending.add(write)
    write.add_done_callback(pending.discard)
    # A caller who hangs up must not part what WorkOS did from what the copy notes.
    user = redaction.redact(await asyncio.shield(write))
    location = f"/api/users/{quote(user['id'], safe='')}"
    return Response(jsontext.dumps(user), 201, {"Location": location, "Cache-Control": "no-store"}, "application/json")


async def created(found: Backend, fields: dict[str, Any]) -> dict[str, Any]:
    """The user WorkOS created, recorded if the database lets us: a write has one outcome, and it is WorkOS's."""
    user = await commands.create_user(found.workos, fields)
    try:
        await note(found, user)
    except (*Unreachable, DatabaseUnavailable, asyncpg.PostgresError):
        log.exception("reply.not_recorded", object_id=user["id"])
    return user


async def note(found: Backend, user: dict[str, Any]) -> None:
    """Write the reply into the journal and the copy, under the guard."""
    reply = entries.of_object(user, lane=Lane.REPLY, type=resource.replied, at=datetime.now(UTC))
    trace.get_current_span().set_attribute("user_management.object.id", reply.object_id or "")
    began = time.perf_counter()
    async with asyncio.timeout(RECORDING), found.connections.one() as connection, connection.transaction():
        recorded = await record(connection, found.resources, [reply])
    report(recorded, Lane.REPLY, began=began)
