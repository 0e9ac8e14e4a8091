"""Whom a request is about: by id or by e-mail address where its body says so, and the user as WorkOS has it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from user_management.services.workos import commands, objects
from user_management.services.workos.bucket import Priority
from user_management.services.workos.commands.users import USER, USERS
from user_management.services.workos.errors import BadAnswer, WorkOSUnavailable
from user_management.services.workos.events import envelope
from user_management.web import problems
from user_management.web.attempts import NotSent
from user_management.web.dependencies import Backend


async def by_id(_found: Backend, fields: Mapping[str, Any]) -> dict[str, str]:
    """The user whose id the body names."""
    return {"id": fields["user_id"]}


async def by_id_or_email(found: Backend, fields: Mapping[str, Any]) -> dict[str, str]:
    """The user whose id or address the body names; WorkOS says who has an address, for the copy may be behind."""
    if fields.get("user_id"):
        return {"id": fields["user_id"]}
    known = await at_workos(found, address(fields))
    if known is None:
        raise NotSent(problems.NOT_FOUND, "There is no user with this e-mail address.")
    return {"id": known}


def named(fields: Mapping[str, Any]) -> None:
    """Refuse a body that names nobody by id or by address, or by what is no text that can be sent."""
    if fields.get("user_id"):
        return
    if not fields.get("email"):
        raise problems.wrong("user_id", "is needed, or `email`")
    if not address(fields).isprintable():
        raise problems.wrong("email", "must be an e-mail address")


def address(fields: Mapping[str, Any]) -> str:
    """The address a body names, as WorkOS keeps it."""
    return str(fields["email"]).strip().lower()


async def user(found: Backend, user_id: str) -> dict[str, Any]:
    """The user as WorkOS has it."""
    with believed():
        path = commands.filled(USER, {"id": user_id})
        return objects.checked(await found.workos.at(Priority.WRITE).request("get", path))


@contextmanager
def believed() -> Iterator[None]:
    """Where nothing was done yet, an answer that is none is no reason to do anything: it may be asked again."""
    try:
        yield
    except BadAnswer as error:
        raise WorkOSUnavailable(str(error)) from error


async def at_workos(found: Backend, email: str) -> str | None:
    """The id of the user who has an address at WorkOS."""
    with believed():
        users = envelope(await found.workos.at(Priority.WRITE).request("get", USERS, params={"email": email}))
    return next((str(one["id"]) for one in users if str(one.get("email")).lower() == email), None)
