"""One attempt at a write: ask WorkOS once; when no answer comes, look for what it would have done; note the outcome."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import quote

import asyncpg
import structlog
from opentelemetry import trace

from user_management.db import jsontext
from user_management.db.session import Connection, DatabaseUnavailable, Unreachable
from user_management.journal import checkpoints, entries, redaction, writes
from user_management.journal.entries import Entry, Lane
from user_management.journal.writes import Reply, Turn
from user_management.mirror.engine import store
from user_management.mirror.engine.record import record, report
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import commands, looks
from user_management.services.workos.commands import Command, Done
from user_management.services.workos.errors import BadAnswer, KeyRefused, OutcomeUnknown, Refused, WorkOSUnavailable
from user_management.services.workos.looks import Sight
from user_management.web import problems, sealing
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

RECORDING = 10.0
"""Seconds the copy may take to note a reply before the caller is answered without; the event will bring it."""
BEFORE = "An attempt before this one got no answer"
EMPTY = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
"""Statuses that promise a body; where WorkOS sends none with them, we say so."""
Away = (*Unreachable, asyncpg.PostgresError, DatabaseUnavailable)


class NotSent(Problem):
    """A request that fails by a rule of ours, before WorkOS is asked for what it is about."""


class TakenBack(Problem):
    """A request that fails by a rule of ours, after WorkOS did it: nothing of what it did is left to the caller."""


Undone = (Refused, WorkOSUnavailable, KeyRefused, NotSent, TakenBack)
"""What says that this attempt did nothing."""

Judges: TypeAlias = Callable[[Backend, Done], Awaitable[None]]
"""What is a rule of ours of that which WorkOS did; it raises the problem of what breaks it."""

Around: TypeAlias = Callable[[Backend, "Asked"], AbstractAsyncContextManager["Asked"]]
"""What is done before and after WorkOS is asked; it says what WorkOS is asked for."""


async def accepted(_found: Backend, _done: Done) -> None:
    """There is no rule of ours."""


@asynccontextmanager
async def directly(_found: Backend, asked: "Asked") -> AsyncIterator["Asked"]:
    """Nothing is done before or after."""
    yield asked


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for: the command and its fields, the resource it is about, and which request it was."""

    resource: Resource
    command: Command
    fields: Mapping[str, Any] | None
    path: str
    request_id: str
    turn: Turn | None = None
    wanted: writes.Request | None = None
    """The request as the ledger knows it, if it has a key."""
    given: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the caller said, where WorkOS is told something else."""
    around: Around = directly
    judges: Judges = accepted

    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def since(self) -> datetime:
        """Since when it is tried."""
        return self.turn.began_at if self.turn else self.began_at

    @property
    def tried(self) -> bool:
        """Whether an attempt before this one may have done it."""
        return self.turn is not None and self.turn.tried

    def key_of(self, done: Done) -> str | None:
        """What the copy knows the object by that was made, changed or ended; None when there is none."""
        if done.made is not None:
            return commands.key_of(self.command, done.made)
        return commands.key_of(self.command, self.command.ids) if done.ended else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a write, in one word, and the answer to it."""

    word: str
    reply: Reply


async def attempt(found: Backend, asked: Asked) -> Outcome:
    """Do a write with what belongs around it; `Refused`, or the problem of an outcome that is not known."""
    try:
        async with asked.around(found, asked) as ready:
            return await forwarded(found, ready)
    except WorkOSUnavailable as error:
        if asked.tried:
            raise unknown(asked, Sight(), f"{BEFORE}, and now {error}") from error
        raise


async def forwarded(found: Backend, asked: Asked) -> Outcome:
    """Do a write, unless an attempt before did it."""
    if asked.tried:
        return await again(found, asked)
    try:
        done = await commands.send(found.workos, asked.command, asked.fields)
    except (OutcomeUnknown, BadAnswer) as error:
        return await unanswered(found, asked, error)
    await asked.judges(found, done)
    return await noted(found, asked, await completed(found, asked, done))


async def again(found: Backend, asked: Asked) -> Outcome:
    """Do a write that may have been done: look first, and take no refusal at its word that may be our own doing."""
    seen = await sought(found, asked)
    if isinstance(seen, Outcome):
        return seen
    if not seen.whole or not (seen.places or asked.command.repeatable):
        raise unknown(asked, seen, BEFORE)
    try:
        done = await commands.send(found.workos, asked.command, asked.fields)
    except Refused as error:
        return await refused(found, asked, error)
    except WorkOSUnavailable as error:
        raise unknown(asked, seen, f"{BEFORE}, and now {error}") from error
    except (OutcomeUnknown, BadAnswer) as error:
        return await unanswered(found, asked, error)
    return await noted(found, asked, await completed(found, asked, done))


async def completed(found: Backend, asked: Asked, done: Done) -> Done:
    """What WorkOS did, with the object as it is now where the reply does not hold it and a look can see it."""
    if done.made is not None or not (asked.command.lacks and asked.command.place):
        return done
    seen = await looks.look(found.workos, asked.command, asked.fields or {}, since=asked.since)
    return replace(done, made=seen.made)


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
    return Problem(
        problems.UNKNOWN,
        f"{why}.{after} The request may still be on its way. {advice(asked, seen)}",
        members={"outcome": "unknown", "looked_for": looked},
    )


def advice(asked: Asked, seen: Sight) -> str:
    """What the caller can do about an outcome that is not known: nothing is sent twice that must not be done twice."""
    if asked.turn is None:
        return "Look the object up before you repeat the request."
    if seen.places or asked.command.repeatable:
        return "Repeat it with the same key."
    return "It leaves nothing that could be looked for: see for yourself, and ask again with another key."


async def sought(found: Backend, asked: Asked) -> Outcome | Sight:
    """What WorkOS shows that an unanswered attempt did, noted as if it had been replied; else what was seen instead."""
    seen = await looks.look(found.workos, asked.command, asked.fields or {}, since=asked.since)
    done = seen_done(asked.command, seen)
    if done is None:
        return seen
    reply = answer(asked, done)
    try:
        if not await note(found, asked, done, reply, sure=False):
            seen.claimed()
            return seen
    except Away as error:
        raise unknown(asked, seen, "WorkOS did not answer, nor does the database") from error
    log.info("write.found", resource=asked.resource.name, object_id=asked.key_of(done))
    return Outcome("found", reply)


def seen_done(command: Command, seen: Sight) -> Done | None:
    """What was done, from what was seen of it."""
    if seen.gone:
        return Done(HTTPStatus.NO_CONTENT, ended=True)
    return None if seen.made is None else Done(command.status, command.told(seen.made), seen.made)


async def noted(found: Backend, asked: Asked, done: Done) -> Outcome:
    """Note WorkOS's reply if the database lets us: a write has one outcome, and it is WorkOS's."""
    reply, object_id = answer(asked, done), asked.key_of(done)
    if done.made is None and not done.ended:
        await kept(found, asked.turn, stored(found, asked, reply), sure=True)
        return Outcome("done", reply)
    try:
        await note(found, asked, done, reply, sure=True)
    except Away:
        log.exception("reply.not_recorded", object_id=object_id)
        await kept(found, asked.turn, stored(found, asked, reply), object_id=object_id, sure=True)
    return Outcome("done", reply)


async def note(found: Backend, asked: Asked, done: Done, reply: Reply, *, sure: bool) -> bool:
    """Write what WorkOS did into the journal and the copy, and the answer into the ledger, as one; whether it was ours.

    What WorkOS replied is ours for `sure`; so is the state an object was found in; an object that was found is, unless
    it was there before or another write made it.
    """
    began, object_id = time.perf_counter(), asked.key_of(done)
    trace.get_current_span().set_attribute("user_management.object.id", object_id or "")
    async with asyncio.timeout(RECORDING), found.connections.one() as connection, connection.transaction():
        await checkpoints.lock(connection)  # of two who find the same object, one is first
        if not sure and asked.command.makes and await writes.foreign(connection, object_id or "", since=asked.since):
            return False
        recorded = await record(connection, found.resources, await entries_of(connection, asked, done))
        if asked.turn is not None:
            kept_reply = stored(found, asked, reply)
            await writes.finish(connection, asked.turn, kept_reply, object_id=object_id, sure=True)
    report(recorded, Lane.REPLY, began=began)
    return True


async def entries_of(connection: Connection, asked: Asked, done: Done) -> list[Entry]:
    """What a reply tells the journal: the object as it is now, or its end with the last that was known of it."""
    now = datetime.now(UTC)
    if done.made is not None:
        made = {"object": asked.resource.object, **done.made} if asked.command.accepts else done.made
        return [entries.of_object(made, lane=Lane.REPLY, type=asked.resource.replied, at=now)]
    key = asked.key_of(done) if done.ended else None
    if key is None:
        return []
    known = await store.row(connection, asked.resource.name, key)
    named = {name: asked.command.ids[name] for name in asked.command.key}
    last = known.body if known else {"object": asked.resource.object, **named}
    return [entries.of_object(last, lane=Lane.REPLY, type=asked.resource.deleted, at=now)]


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


def answer(asked: Asked, done: Done) -> Reply:
    """What the caller is told: WorkOS's status and words, without secrets unless they are what was asked for."""
    if done.body is None:
        return Reply(HTTPStatus.NO_CONTENT if done.status in EMPTY else done.status, {}, "")
    headers = {"Content-Type": "application/json"}
    if done.status == HTTPStatus.CREATED and done.made is not None and asked.command.makes:
        headers["Location"] = f"/api/{asked.resource.name}/{quote(asked.key_of(done) or '', safe='')}"
    body = done.body if asked.command.secret else redaction.redact(done.body)
    return Reply(done.status, headers, jsontext.dumps(body))


def stored(found: Backend, asked: Asked, reply: Reply) -> Reply:
    """The answer as the ledger keeps it: one that tells a secret is sealed."""
    if not asked.command.secret or asked.wanted is None:
        return reply
    return sealing.sealed(found.secret, asked.wanted, reply)
