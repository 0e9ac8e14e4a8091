"""Callers without our key: WorkOS judges them, and they must not keep those who have it from WorkOS."""

import asyncio
import re
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from user_management.db import jsontext
from user_management.web.credentials import gate
from user_management.web.credentials.keys import PREFIX
from user_management.web.dependencies import backend

LARGEST = 1_000_000
"""Bytes of a body that is held until all of it is here; no connection to WorkOS waits for it."""
OURS = re.compile(rf"\s*(\S+\s+)?{PREFIX}")
"""An `Authorization` that shows a key of ours, whatever scheme it names."""


class TooLarge(Exception):
    """The body is larger than what is held."""


def turned_away(request: Request) -> Response | None:
    """Why a stranger's request is not passed on: it shows what is not for WorkOS, or it is one too many."""
    if any(OURS.match(value) for value in request.headers.getlist("Authorization")):
        return said(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
    spent = backend(request).strangers.spend(gate.address(request.scope))
    if spent.over:
        words = {"message": "Too many requests without this server's WorkOS key.", "code": "too_many_requests"}
        return said(HTTPStatus.TOO_MANY_REQUESTS, words, {"Retry-After": str(max(1, spent.seconds))})
    return None


def said(status: HTTPStatus, words: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    """An answer in the form of WorkOS's errors."""
    return Response(jsontext.dumps(words), status, headers, "application/json")


async def body(request: Request, seconds: float) -> bytes:
    """A whole body; whoever is not done in time is given up."""
    held = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                held += chunk
                if len(held) > LARGEST:
                    raise TooLarge
    except TimeoutError as error:
        raise ClientDisconnect from error
    return bytes(held)
