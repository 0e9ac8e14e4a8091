"""The ledger at work: whoever comes first with an `Idempotency-Key` does the write, all others are told its outcome."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import structlog

from user_management.journal import writes
from user_management.journal.writes import Reply, Request, Standing, Turn
from user_management.services.workos import looks
from user_management.services.workos.commands import GRACE
from user_management.services.workos.errors import Refused
from user_management.telemetry import metrics
from user_management.web import attempts, errors, problems, sealing
from user_management.web.attempts import RECORDING, Asked, Away, Undone
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

WAITING = 5.0
"""Seconds that a second request waits for the outcome of the first."""
EVERY = 0.05
"""Seconds between two looks while it waits."""
MARGIN = 5.0
"""Seconds that a lease is longer than everything its owner may do; then the owner is dead."""
PREFIX = 32
"""Hexadecimal digits that tell a credential's keys from another's."""
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that say nothing of the request, only of the moment."""

REPLAYED = "replayed"
WORDS = {problems.UNKNOWN: "unknown", problems.AT_WORK: "busy", problems.KEY_REUSED: "reused",
         problems.USERNAME_TAKEN: "refused", problems.SOFT_DELETED: "refused", problems.REFUSED: "refused"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to a write, and what came of it in one word."""

    word: str
    reply: Reply

    @property
    def replayed(self) -> bool:
        """Whether the answer was given before."""
        return self.word == REPLAYED


def digest(secret: bytes, request: str, fields: Mapping[str, Any]) -> str:
    """What a request is known by: nobody without the secret can guess from it what was sent."""
    try:
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        raise problems.wrong("body", "is nested too deeply") from error
    return hmac.new(secret, f"{request}\n{canonical}".encode(), hashlib.sha256).hexdigest()


def owned(holder: str, key: str) -> str:
    """A caller's key as it is stored: that of one credential is no other's; WorkOS's key may be exchanged meanwhile."""
    return f"{hashlib.sha256(holder.encode()).hexdigest()[:PREFIX]}:{key}"


def lease(workos_timeout: float) -> float:
    """Seconds after which whoever does a write must be dead: all its steps are bounded."""
    return workos_timeout + GRACE + 2 * looks.PATIENCE + 2 * RECORDING + MARGIN


async def once(found: Backend, asked: Asked, wanted: Request | None) -> Told:
    """The answer to a write, which is done once, whoever asks for it how often under one key."""
    try:
        told = await answered(found, asked, wanted)
    except Exception as error:
        count(asked, word_of(error))
        raise
    count(asked, told.word)
    return told


def word_of(error: Exception) -> str:
    """What came of a write that has no answer of WorkOS's, in one word."""
    if isinstance(error, Problem):
        return WORDS.get(error.kind, "failed")
    return "away" if isinstance(error, Undone) else "failed"


async def answered(found: Backend, asked: Asked, wanted: Request | None) -> Told:
    """The answer of whoever has the turn, which may be us."""
    turn = await entered(found, wanted) if wanted else None
    if isinstance(turn, Reply):
        return Told(REPLAYED, turn)
    return await outcome(found, replace(asked, turn=turn, wanted=wanted))


async def outcome(found: Backend, asked: Asked) -> Told:
    """What comes of the turn: kept if it is final; else the turn is given back, as undone or as not known."""
    try:
        done = await attempts.attempt(found, asked)
    except Undone as error:
        if isinstance(error, Refused) and error.refusal.status not in PASSING:
            return await settled(found, asked, refusal(asked, error))
        await left(found, asked, undone=True)
        raise
    except BaseException as error:
        await left(found, asked, undone=False)
        if isinstance(error, Problem) and (told := await elsewhere(found, asked)):
            return told
        raise
    return Told(done.word, done.reply)


def refusal(asked: Asked, error: Refused) -> Reply:
    """WorkOS's refusal as it is answered."""
    problem = errors.of_refusal(error, whole=asked.command.secret)
    body = problems.rendered(problem, instance=asked.path, request_id=asked.request_id).decode()
    return Reply(problem.status, {"Content-Type": errors.MEDIA_TYPE, **problem.headers}, body)


async def settled(found: Backend, asked: Asked, reply: Reply) -> Told:
    """The refusal, kept; or what came of the write for whoever took it over, if our turn had ended."""
    if asked.turn is None or await attempts.kept(found, asked.turn, attempts.stored(found, asked, reply)):
        return Told("refused", reply)
    told = await elsewhere(found, asked)
    if told is None:
        raise busy(0)
    return told


async def elsewhere(found: Backend, asked: Asked) -> Told | None:
    """What came of our write for somebody who took it over, if that is known."""
    if asked.turn is None:
        return None
    try:
        async with found.connections.one() as connection:
            standing = await writes.standing(connection, asked.turn.key)
    except Away:
        return None
    reply = standing and answer(found, standing)
    return Told(REPLAYED, reply) if reply else None


def answer(found: Backend, standing: Standing) -> Reply | None:
    """The answer that the ledger has, as it was given."""
    return None if standing.reply is None else sealing.opened(found.secret, standing.request, standing.reply)


async def left(found: Backend, asked: Asked, *, undone: bool) -> None:
    """Give the turn back; if the database is away, its lease ends by itself."""
    if asked.turn is None:
        return
    try:
        async with asyncio.timeout(RECORDING), found.connections.one() as connection:
            await writes.leave(connection, asked.turn, undone=undone)
    except Away as error:
        log.warning("write.not_kept", error=type(error).__name__)


async def entered(found: Backend, wanted: Request) -> Turn | Reply:
    """The turn to do a write, or the answer somebody else has got for it; a problem when that takes too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAITING
    while True:
        entry = await turn(found, wanted)
        if isinstance(entry, Turn | Reply):
            return entry
        if loop.time() >= until:
            raise busy(entry)
        await asyncio.sleep(EVERY)


async def turn(found: Backend, wanted: Request) -> Turn | Reply | float:
    """Our turn, or the answer, or how many seconds whoever is at work has left."""
    seconds = lease(found.workos.timeout)
    async with found.connections.one() as connection:
        if mine := await writes.claim(connection, wanted, seconds=seconds):
            return mine
        standing = await writes.standing(connection, wanted.key)
        if standing is None:
            return 0.0
        if standing.expired:
            await writes.forget_expired(connection, wanted.key)
            return 0.0
        same(wanted, standing)
        if standing.free and (mine := await writes.take_over(connection, standing, seconds=seconds)):
            log.info("write.taken_over", request=wanted.request, was=standing.state.value)
            return mine
    return answer(found, standing) or standing.held


def same(wanted: Request, standing: Standing) -> None:
    """Refuse a key that stands for another request."""
    known = standing.request
    if known.request != wanted.request or not hmac.compare_digest(known.digest, wanted.digest):
        raise Problem(problems.KEY_REUSED, "This Idempotency-Key was used for another request.")


def busy(seconds: float) -> Problem:
    """The problem of a write that is still at work."""
    wait = errors.retry_after(min(seconds, WAITING))
    return Problem(problems.AT_WORK, "The first request with this Idempotency-Key is still at work.", headers=wait)


def count(asked: Asked, word: str) -> None:
    """Count what came of a write."""
    metrics.writes.add(1, {"resource": asked.resource.name, "outcome": word})
