"""Changing a password: only for whoever knows the current one, which WorkOS is asked about and nobody keeps."""

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from user_management.services.workos import commands
from user_management.services.workos.commands import authentication
from user_management.services.workos.errors import (
    FAILURES,
    BadAnswer,
    OutcomeUnknown,
    Refused,
    WorkOSUnavailable,
)
from user_management.web import problems, whose
from user_management.web.attempts import BEFORE, Asked
from user_management.web.dependencies import Backend
from user_management.web.problems import Problem

log = structlog.get_logger(__name__)

PROVEN = frozenset(
    {"mfa_enrollment", "mfa_challenge", "organization_selection_required", "passkey_progressive_enrollment"}
)
"""What WorkOS asks for next only once the password was right: the rest of such a sign-in does not ask for it again.

Not so a code by e-mail (`email_verification_required`, `radar_…`), which by itself would sign its reader in.
"""
CALLERS = ("ip_address", "user_agent", "device_id", "signals_id")
"""What callers may tell of the person's browser."""


def new(fields: dict[str, Any]) -> dict[str, Any]:
    """The change as WorkOS is told it."""
    return {"password": fields["new_password"]}


@asynccontextmanager
async def proven(found: Backend, asked: Asked) -> AsyncIterator[Asked]:
    """Change a password only if the current one is right; a problem, and nothing done, if not."""
    given, user_id = asked.given or {}, asked.command.ids["id"]
    user = await whose.user(found, user_id)
    told = {name: given[name] for name in CALLERS if given.get(name) is not None}
    try:
        signed_in = await sign_in(found, {**told, "email": user.get("email"), "password": given["current_password"]})
    except Refused as error:
        if error.refusal.code not in PROVEN:
            raise refused(asked, error) from error
    else:
        await end(found, signed_in)
        if signed_in.get("user", {}).get("id") != user_id:
            raise WorkOSUnavailable(
                "The user's e-mail address changed just now, and WorkOS was not asked for anything else"
            )
    yield asked


async def sign_in(found: Backend, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What WorkOS answers to the password; `WorkOSUnavailable` when it does not answer, for then nothing is changed."""
    try:
        done = await commands.send(found.workos, authentication.authenticate, {"grant_type": "password", **fields})
    except (OutcomeUnknown, BadAnswer) as error:
        raise WorkOSUnavailable(
            "WorkOS did not say whether the current password is right, and was not asked to change it"
        ) from error
    return done.body if isinstance(done.body, dict) else {}


def refused(asked: Asked, error: Refused) -> Exception:
    """WorkOS's refusal, without the token of a sign-in that is not to go on; not known if it may be our own doing."""
    if asked.tried and error.refusal.code == "invalid_credentials":
        return Problem(
            problems.UNKNOWN,
            f"{BEFORE}, and now the current password is wrong: it may have been changed already. Sign in to see.",
            members={"outcome": "unknown"},
        )
    return type(error)(replace(error.refusal, more={}))


async def end(found: Backend, signed_in: Mapping[str, Any]) -> None:
    """End a session that nobody is to have; one that cannot be ended ends by itself, and is told of."""
    session_id = session_of(signed_in.get("access_token"))
    try:
        if session_id is not None:
            await commands.send(found.workos, authentication.end_session, {"session_id": session_id})
            return
        failure = "no session id in the access token"
    except FAILURES as error:
        failure = type(error).__name__
    log.warning("session.not_revoked", session_id=session_id, error=failure)


def session_of(access_token: object) -> str | None:
    """The session an access token names; its signature is not looked at, for it is only to be ended."""
    try:
        payload = str(access_token).split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return None
    session_id = claims.get("sid") if isinstance(claims, dict) else None
    return session_id if isinstance(session_id, str) else None
