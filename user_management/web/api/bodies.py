"""Request bodies: read up to a limit, parsed, checked, and handed on exactly as they were sent."""

from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from user_management.db import jsontext
from user_management.web import problems
from user_management.web.problems import Problem

LIMIT = 1_000_000
"""The most bytes of a body."""


async def read(request: Request) -> dict[str, Any]:
    """The JSON object a request carries; a problem when it is too large or something else."""
    return parsed(await raw(request))


async def raw(request: Request) -> bytes:
    """The bytes a request carries; a problem when they are too many."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > LIMIT:
                raise Problem(problems.TOO_LARGE, f"The request body is larger than {LIMIT} bytes.")
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise problems.wrong("body", "ended before it was complete") from error
    return b"".join(chunks)


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
        wrong = {".".join(str(part) for part in one["loc"]): one["msg"] for one in found}
        raise problems.invalid([{"field": field, "message": message} for field, message in wrong.items()]) from None
    return body
