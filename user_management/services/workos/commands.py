"""Commands: what we ask WorkOS to do for a caller. Sent once: WorkOS does not deduplicate, so nothing here retries.

Each says where at WorkOS that which it makes can be looked for, which is what remains to be done when no answer comes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import OutcomeUnknown, Refused

GRACE = 5.0
"""Seconds beyond the timeout of its parts after which a request is given up as a whole."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A place where WorkOS would show what a command made: one object, or a list of them."""

    by: str
    path: tuple[str, ...]
    params: Mapping[str, str] | None = None


def nowhere(_fields: Mapping[str, Any]) -> Iterable[Trace]:
    """No traces: an unknown outcome then stays unknown."""
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """A write at WorkOS: how to ask for it, where to look for what it made, and how WorkOS says it is there already."""

    method: str
    path: tuple[str, ...]
    traces: Callable[[Mapping[str, Any]], Iterable[Trace]] = nowhere
    taken: frozenset[str] = frozenset()


def of_user(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new user shows: under its owner's own id, and under its e-mail address."""
    external_id, email = fields.get("external_id"), fields.get("email")
    if isinstance(external_id, str) and external_id:
        yield Trace("external_id", ("user_management", "users", "external_id", external_id))
    if isinstance(email, str):
        yield Trace("email", ("user_management", "users"), {"email": email.strip().lower()})


create_user = Command(
    "post", ("user_management", "users"), of_user, frozenset({"email_not_available", "external_id_already_used"})
)


async def send(workos: WorkOS, command: Command, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The object a command made; `OutcomeUnknown` when the answer does not tell, or not in time."""
    try:
        async with asyncio.timeout(workos.timeout + GRACE):
            return created(await workos.at(Priority.WRITE).request(command.method, command.path, body=fields))
    except TimeoutError as error:
        raise OutcomeUnknown("WorkOS took too long to answer; it may or may not have done what was asked") from error


def created(answer: dict[str, Any]) -> dict[str, Any]:
    """The object a write replied; a 2xx without one leaves open what was done."""
    if not isinstance(answer.get("id"), str):
        raise OutcomeUnknown("WorkOS accepted the request but its answer could not be read")
    return answer


def taken(command: Command, error: Refused) -> bool:
    """Whether WorkOS refuses because something of the kind is there already: perhaps what this very write made."""
    said = error.refusal
    return not command.taken.isdisjoint({said.code, *(str(one.get("code")) for one in said.errors)})
