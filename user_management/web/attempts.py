"""One attempt at a write: ask WorkOS once; when no answer comes, look for what it would have made; note the outcome."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import asyncpg
import structlog
from opentelemetry import trace

from user_management.db import jsontext
from user_management.db.session import DatabaseUnavailable, Unreachable
from user_management.journal import checkpoints, entries, redaction, writes
from user_management.journal.entries import Lane
from user_management.journal.writes import Reply, Turn
from user_management.mirror.engine.record import record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import commands, looks
from user_management.services.workos.commands import Command
from user_management.services.workos.errors import BadAnswer, OutcomeUnknown, Refused, WorkOSUnavailable
from user_management.services.workos.looks import Sight
from user_management.web import problems
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

RECORDING = 10.0
"""Seconds the copy may take to note a reply before the caller is answered without; the event will bring it."""
BEFORE = "An attempt before this one got no answer"
Away = (*Unreachable, asyncpg.PostgresError, DatabaseUnavailable)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for: the command and its fields, the resource it makes, and which request it was."""

    resource: Resource
    command: Command
    fields: Mapping[str, Any]
    path: str
    request_id: str
    turn: Turn | None = None

    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def since(self) -> datetime:
        """Since when it is tried."""
        return self.turn.began_at if self.turn else self.began_at

    @property
    def tried(self) -> bool:
        """Whether an attempt before this one may have done it."""
        return self.turn is not None and self.turn.tried


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a write, in one word, and the answer to it."""

    word: str
    reply: Reply


async def attempt(found: Backend, asked: Asked) -> Outcome:
    """Do a write, unless an attempt before did it; `Refused`, or the problem of an outcome that is not known."""
    if asked.tried:
        return await again(found, asked)
    try:
        made = await commands.send(found.workos, asked.command, asked.fields)
    except (OutcomeUnknown, BadAnswer) as error:
        return await unanswered(found, asked, error)
    return await noted(found, asked, made)


async def again(found: Backend, asked: Asked) -> Outcome:
    """Do a write that may have been done: look first, and take no refusal at its word that may be our own doing."""
    seen = await sought(found, asked)
    if isinstance(seen, Outcome):
        return seen
    if not seen.whole:
        raise unknown(asked, seen, BEFORE)
    try:
        made = await commands.send(found.workos, asked.command, asked.fields)
    except Refused as error:
        return await refused(found, asked, error)
    except WorkOSUnavailable as error:
        raise unknown(asked, seen, f"{BEFORE}, and now {error}") from error
    except (OutcomeUnknown, BadAnswer) as error:
        return await unanswered(found, asked, error)
    return await noted(found, asked, made)


async def unanswered(found: Backend, asked: Asked, error: Exception) -> Outcome:
    """What was found of a request that got no answer; the problem of an unknown outcome when that is nothing."""
    seen = await sought(found, asked)
    if isinstance(seen, Outcome):
        return seen
    raise unknown(asked, seen, str(error)) from error


async def refused(found: Backend, asked: Asked, error: Refused) -> Outcome:
    """What a refusal means: itself; unless what is in the way may be what an attempt before this one made."""
    if commands.taken(asked.command, error):
        seen = await sought(found, asked)
        if isinstance(seen, Outcome):
            return seen
        if not seen.foreign:
            raise unknown(asked, seen, f"{BEFORE}, and now {error}") from error
    raise error


def unknown(asked: Asked, seen: Sight, why: str) -> Problem:
    """The problem of an outcome that is not known, with what was looked for and what was seen."""
    looked = [{"by": by, "found": place.value} for by, place in seen.places.items()]
    places = ", ".join(f"by {by.replace('_', ' ')} ({place.value})" for by, place in seen.places.items())
    after = f" We looked for the {asked.resource.object.replace('_', ' ')} at WorkOS {places}." if looked else ""
    advice = "Repeat it with the same key." if asked.turn else "Look the object up before you repeat the request."
    return Problem(
        problems.UNKNOWN,
        f"{why}.{after} The request may still be on its way. {advice}",
        members={"outcome": "unknown", "looked_for": looked},
    )


async def sought(found: Backend, asked: Asked) -> Outcome | Sight:
    """What WorkOS has that an unanswered attempt made, noted as if it had been replied; else what was seen instead."""
    seen = await looks.look(found.workos, asked.command, asked.fields, since=asked.since)
    if seen.made is None:
        return seen
    reply = answer(asked, seen.made)
    try:
        if not await note(found, asked, seen.made, reply, sure=False):
            seen.claimed()
            return seen
    except Away as error:
        raise unknown(asked, seen, "WorkOS did not answer, nor does the database") from error
    log.info("write.found", resource=asked.resource.name, object_id=seen.made["id"])
    return Outcome("found", reply)


async def noted(found: Backend, asked: Asked, made: dict[str, Any]) -> Outcome:
    """Note WorkOS's reply if the database lets us: a write has one outcome, and it is WorkOS's."""
    reply = answer(asked, made)
    try:
        await note(found, asked, made, reply, sure=True)
    except Away:
        log.exception("reply.not_recorded", object_id=made["id"])
        await kept(found, asked.turn, reply, object_id=made["id"], sure=True)
    return Outcome("done", reply)


async def note(found: Backend, asked: Asked, made: dict[str, Any], reply: Reply, *, sure: bool) -> bool:
    """Write WorkOS's object into the journal and the copy, and the answer into the ledger, as one; whether it was ours.

    What WorkOS replied is ours for `sure`; what was found is, unless it was there before or another write made it.
    """
    entry = entries.of_object(made, lane=Lane.REPLY, type=asked.resource.replied, at=datetime.now(UTC))
    trace.get_current_span().set_attribute("user_management.object.id", entry.object_id or "")
    began = time.perf_counter()
    async with asyncio.timeout(RECORDING), found.connections.one() as connection, connection.transaction():
        await checkpoints.lock(connection)  # of two who find the same object, one is first
        if not sure and await writes.foreign(connection, made["id"], since=asked.since):
            return False
        recorded = await record(connection, found.resources, [entry])
        if asked.turn is not None:
            await writes.finish(connection, asked.turn, reply, object_id=made["id"], sure=True)
    report(recorded, Lane.REPLY, began=began)
    return True


async def kept(
    found: Backend, turn: Turn | None, reply: Reply, *, object_id: str | None = None, sure: bool = False
) -> bool:
    """Keep an answer under its key; without it, whoever repeats looks again, so a failure is only logged."""
    if turn is None:
        return True
    try:
        async with asyncio.timeout(RECORDING), found.connections.one() as connection:
            return await writes.finish(connection, turn, reply, object_id=object_id, sure=sure)
    except Away as error:
        log.warning("write.not_kept", error=type(error).__name__)
        return True


def answer(asked: Asked, made: dict[str, Any]) -> Reply:
    """What the caller is told of an object that was made: WorkOS's words, without secrets."""
    location = f"/api/{asked.resource.name}/{quote(made['id'], safe='')}"
    return Reply(
        201, {"Location": location, "Content-Type": "application/json"}, jsontext.dumps(redaction.redact(made))
    )
