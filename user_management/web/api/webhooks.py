"""Webhooks: what WorkOS tells at once. It is in the copy before WorkOS is answered, and the feed has the last word."""

import asyncio
import time
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from user_management.db import jsontext
from user_management.journal import entries, webhooks
from user_management.journal.entries import Entry, Lane
from user_management.mirror.engine import provisional
from user_management.mirror.engine.apply import Unstorable
from user_management.telemetry import metrics
from user_management.web import problems, signature
from user_management.web.api import bodies, documents, routes
from user_management.web.dependencies import Backend, backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

log = structlog.get_logger(__name__)

RECORDING = 4.0
"""Seconds the database may take; WorkOS waits five, and sends again later what is not answered."""


class Told(BaseModel):
    """What became of a webhook."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"outcome": "accepted"}]})

    outcome: str = Field(
        description="`accepted`, `known` (told before), or `ignored` (the feed will not bring it: nothing follows it)."
    )


def add(router: APIRouter) -> None:
    """Add the route that WorkOS calls."""
    routes.add(router, "/webhooks/workos", receive, Scope.PUBLIC, methods=["POST"], **documents.of_webhook(Told))


async def receive(request: Request) -> Response:
    """Take one webhook: check its signature, journal its event, apply it."""
    found = backend(request)
    if not found.webhook_secrets:
        raise Problem(problems.WEBHOOKS_OFF, "USER_MANAGEMENT_WORKOS_WEBHOOK_SECRET is not set here.")
    raw = await bodies.raw(request)
    check(found, request.headers.get("WorkOS-Signature"), raw)
    outcome = await note(found, event_of(raw))
    metrics.webhooks.add(1, {"outcome": outcome})
    return Response(jsontext.dumps({"outcome": outcome}), media_type="application/json")


def check(found: Backend, header: str | None, raw: bytes) -> None:
    """Refuse what WorkOS has not signed just now."""
    try:
        signature.check(header, raw, found.webhook_secrets, now=time.time())
    except signature.BadSignature as error:
        metrics.webhooks.add(1, {"outcome": "refused"})
        log.warning("webhook.refused", error=str(error), size=len(raw))
        raise Problem(problems.SIGNATURE, f"Not from WorkOS: {error}.") from error


def event_of(raw: bytes) -> Entry:
    """The entry of the event in a body; a problem when there is none."""
    try:
        body = bodies.parsed(raw)
        wrong = [name for name in ("id", "event") if entries.named(body.get(name)) is None]
        wrong += [] if isinstance(body.get("data"), dict) else ["data"]
        if wrong:
            raise problems.invalid([{"field": name, "message": "is not that of an event"} for name in wrong])
    except Problem as problem:
        invalid(str(problem), len(raw))
        raise
    return entries.of_event(body, received_at=datetime.now(UTC))


def invalid(error: str, size: int) -> None:
    """Note a body that was signed and is no event all the same."""
    metrics.webhooks.add(1, {"outcome": "invalid"})
    log.warning("webhook.invalid", error=error, size=size)


async def note(found: Backend, entry: Entry) -> str:
    """Journal and apply an event that the feed will bring too; what became of it."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(RECORDING), found.connections.one() as connection, connection.transaction():
            if not await webhooks.expected(connection, entry):
                return "ignored"
            new = await provisional.announce(connection, entry)
    except Unstorable as error:
        invalid(str(error), len(entry.text))
        raise problems.wrong("body", "cannot be stored") from error
    if new:
        metrics.page_duration.record(time.perf_counter() - began, Lane.WEBHOOK.value)
    return "accepted" if new else "known"
