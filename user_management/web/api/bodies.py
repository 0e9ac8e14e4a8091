"""Request bodies: read up to a limit, parsed, checked, and handed on exactly as they were sent."""

from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from user_management.db import jsontext
from user_management.web import problems
from user_management.web.problems import Problem

LIMIT = 1_000_000
"""The most bytes of a body."""
LONGEST = 18
"""Digits of a length that is worth reading as a number."""


def bounded(request: Request) -> Request:
    """The request, of whose body nobody can read more than the limit; refused unread when it says that it is larger."""
    announced = request.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > LONGEST or int(announced) > LIMIT):
        raise too_large()
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > LIMIT:
            raise too_large()
        return message

    return Request(request.scope, receive)


def too_large() -> Problem:
    """The problem of a body beyond the limit."""
    return Problem(problems.TOO_LARGE, f"The request body is larger than {LIMIT} bytes.")


async def raw(request: Request) -> bytes:
    """The bytes a request carries, which its route has `bounded`; a problem when they are not all of them."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise problems.wrong("body", "ended before it was complete") from error


def parsed(text: bytes) -> dict[str, Any]:
    """The JSON object in these bytes."""
    try:
        body = jsontext.loads(text)
    except (ValueError, RecursionError) as error:
        raise problems.wrong("body", "is not JSON") from error
    if not isinstance(body, dict):
        raise problems.wrong("body", "is not a JSON object")
    return body


def checked(model: type[BaseModel], body: dict[str, Any]) -> dict[str, Any]:
    """The body, unchanged, if it fits the model; a problem that names each wrong field and repeats no value."""
    try:
        model.model_validate(body, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = {".".join(str(part) for part in one["loc"]): problems.plain(one["msg"]) for one in found}
        raise problems.invalid([{"field": field, "message": message} for field, message in wrong.items()]) from None
    return body
