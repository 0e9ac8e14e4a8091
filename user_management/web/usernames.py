"""The rule for usernames, which is ours: unique whatever the case, and reserved before WorkOS is asked for it."""

import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from user_management.journal import usernames
from user_management.journal.usernames import Taken
from user_management.services.workos.errors import Refused
from user_management.web import ledger, problems
from user_management.web.attempts import Asked, Away, NotSent, Undone
from user_management.web.dependencies import Backend

log = structlog.get_logger(__name__)

PATTERN = r"^[A-Za-z0-9._-]{3,64}$"
"""What a username may be; as short as this, it fits into any of WorkOS's metadata values."""
NAME = re.compile(PATTERN.strip("^$"))
WORDS = "must be 3 to 64 letters, digits, `.`, `_` or `-`"


def wanted(fields: Mapping[str, Any] | None) -> str | None:
    """The username that a user is to have; None when none is given, or when it is taken away."""
    metadata = (fields or {}).get("metadata")
    name = metadata.get("username") if isinstance(metadata, dict) else None
    if name is not None and not (isinstance(name, str) and NAME.fullmatch(name)):
        raise problems.wrong("metadata.username", WORDS)
    return name


def in_metadata(fields: dict[str, Any]) -> dict[str, Any]:
    """A username as WorkOS keeps it."""
    return {"metadata": {"username": fields["username"]}}


@asynccontextmanager
async def reserved(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Hold the username that is asked for while WorkOS is asked; the problem of one that somebody else has."""
    name = wanted(asked.fields)
    if name is None:
        yield asked
        return
    claim = claim_of(found, asked)
    await reserve(found, asked, name, claim)
    try:
        yield asked
    except Undone as error:
        if not asked.tried or isinstance(error, Refused):
            await release(found, name, claim, given=False)
        raise
    await release(found, name, claim, given=True)


def claim_of(found: Backend, asked: Asked) -> str:
    """By what a reservation is known: the same for every attempt under one key, and for no other."""
    if asked.turn is None:
        return secrets.token_hex(16)
    words = f"{asked.turn.key}\n{asked.turn.began_at.isoformat()}"
    return hmac.new(found.secret, words.encode(), hashlib.sha256).hexdigest()


async def reserve(found: Backend, asked: Asked, name: str, claim: str) -> None:
    """Reserve a name for as long as an attempt may take."""
    seconds, user_id = ledger.lease(found.workos.timeout), asked.command.ids.get("id")
    try:
        async with found.connections.one() as connection:
            await usernames.reserve(connection, name, claim, user_id=user_id, seconds=seconds)
    except Taken as error:
        raise NotSent(
            problems.USERNAME_TAKEN,
            f"The username cannot be had: {error}.",
            members={"errors": [{"field": "metadata.username", "code": "username_taken"}]},
        ) from error


async def release(found: Backend, name: str, claim: str, *, given: bool) -> None:
    """End a reservation; if the database is away, the feed will."""
    try:
        async with found.connections.one() as connection:
            await usernames.release(connection, name, claim, given=given)
    except Away as error:
        log.warning("username.not_released", error=type(error).__name__)
