"""Passing on: a caller's request goes to WorkOS as it came, and WorkOS's answer comes back as it is."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httpx
import structlog
from fastapi import Request, Response
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from user_management.db import jsontext
from user_management.journal.entries import Entry
from user_management.services.workos import passage
from user_management.services.workos.bucket import Priority
from user_management.services.workos.errors import BadAnswer, OutcomeUnknown, WorkOSUnavailable
from user_management.services.workos.passage import Parcel, Unsendable
from user_management.web import endings, errors
from user_management.web.api.writes import heard_out
from user_management.web.dependencies import Backend, backend
from user_management.web.workos import callers, learnt, places, roles, strangers, told
from user_management.web.workos.copied import SOURCE, WORKOS
from user_management.web.workos.places import Found

log = structlog.get_logger(__name__)

LARGEST = 4_000_000
"""Bytes of an answer that are held back to learn from it; a page of 100 objects is a tenth of that."""
SENDING = 120.0
"""Seconds that a body may take to be sent; a connection to WorkOS is held for it."""
READS = frozenset({"GET", "HEAD", "OPTIONS"})
EMPTY = frozenset({"HEAD", "OPTIONS"})
"""The methods whose answers show no object."""
ORDERING = "/authorization/"
"""Where the order of roles is changed."""
KEPT_HERE = frozenset(
    b"host content-length expect cookie forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto "
    b"x-forwarded-prefix x-real-ip x-api-key".split()
)
"""What a request says to this host alone; its length is said anew, and the key is ours."""
KEPT_THERE = frozenset(b"alt-svc content-length date nel report-to set-cookie strict-transport-security".split())
"""What an answer says of WorkOS's own host alone; a browser would take it for ours."""
SLOW_ALONE = (
    "/user_management/authenticate", "/user_management/magic_auth", "/user_management/password_reset",
    "/user_management/users/", "/directory_users", "/sso/", "/organizations/",
)  # fmt: skip
"""Where WorkOS limits one person or directory, and not the key: a 429 from there is no word to everybody."""
WORDS = {
    "workos_unavailable": "WorkOS is not available. Nothing was done.",
    "workos_timeout": "WorkOS did not answer in time.",
    "workos_unreadable": "WorkOS's answer could not be read.",
}


@dataclass(frozen=True, slots=True)
class Errand:
    """A request on its way: whether the caller is known by our key, and which mirrored objects it may tell of."""

    request: Request
    known: bool
    found: Found | None
    held: bytes | None = None
    """The whole body, where it was waited for."""

    @property
    def method(self) -> str:
        """What is to be done."""
        return self.request.method

    @property
    def path(self) -> str:
        """The path as it was sent."""
        raw: bytes = self.request.scope["raw_path"]
        return raw.decode("latin-1")

    @property
    def instructive(self) -> bool:
        """Whether the copy can learn from the answer."""
        return self.known and self.found is not None and self.method not in EMPTY

    @property
    def ends_session(self) -> bool:
        """Whether a session is to be ended, for a caller we know."""
        return self.known and self.method == "POST" and unquote(self.path).rstrip("/") == endings.PATH

    @property
    def framing(self) -> tuple[bytes, bytes] | None:
        """How it is said where the body ends; None if there is no body."""
        given = self.request.headers
        if "content-length" in given:
            return b"content-length", given["content-length"].encode("latin-1")
        return (b"transfer-encoding", b"chunked") if "transfer-encoding" in given else None


async def answer(request: Request) -> Response:
    """WorkOS's answer to a request, learnt from before it is handed on; or why there is none."""
    raw: bytes = request.scope["raw_path"]
    if places.escapes(raw):
        return refused(HTTPStatus.BAD_REQUEST, "invalid_path", "The path must not contain `.` or `..` segments.")
    server = backend(request)
    found = places.find(places.all_of(server.resources), raw.decode("latin-1"))
    errand = Errand(request, callers.known(request), found)
    if not errand.known and (refusal := strangers.turned_away(request)):
        refusal.headers[SOURCE] = WORKOS
        return refusal
    if errand.ends_session or (errand.instructive and errand.method not in READS):
        return await heard_out(server, passed(server, errand))
    return await passed(server, errand)


async def passed(server: Backend, errand: Errand) -> Response:
    """WorkOS's answer, or an error in a form that its SDKs read."""
    began = time.monotonic()
    if errand.method not in READS and errand.path.startswith(ORDERING):
        server.orders.clear()
    try:
        if errand.framing and (errand.ends_session or not errand.known):
            errand = replace(errand, held=await strangers.body(errand.request, server.passage.timeout))
        found = await server.passage.send(parcel(errand))
    except WorkOSUnavailable as error:
        return unserved(error, HTTPStatus.SERVICE_UNAVAILABLE, "workos_unavailable", error.retry_after or 1.0)
    except OutcomeUnknown as error:
        return unserved(error, HTTPStatus.GATEWAY_TIMEOUT, "workos_timeout")
    except BadAnswer as error:
        return unserved(error, HTTPStatus.BAD_GATEWAY, "workos_unreadable")
    except (Unsendable, ClientDisconnect):
        return refused(HTTPStatus.BAD_REQUEST, "invalid_request", "The request cannot be passed on as it is.")
    except strangers.TooLarge:
        return refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", "The body is too large.")
    if errand.ends_session and found.is_success:
        await endings.note(server, endings.named(errand.held))
    return await handed_on(server, errand, found, began)


async def handed_on(server: Backend, errand: Errand, found: httpx.Response, began: float) -> Response:
    """The answer as it came: streamed, or whole where the copy learns from it first."""
    head, rest = b"", found.aiter_raw()
    if errand.instructive and found.is_success:
        try:
            head, ended = await beginning(rest, server.passage.timeout)
        except (httpx.TransportError, TimeoutError) as error:
            await found.aclose()
            return unserved(error, HTTPStatus.BAD_GATEWAY, "workos_unreadable")
        if ended:
            await found.aclose()
            body = read(found, head)
            await learnt.learn(server, lesson(errand, found, body))
            if order := order_of(errand, found, body, began):
                server.orders[errand.path] = order
            return whole(found, head)
    return streamed(found, head, rest)


async def beginning(chunks: AsyncIterator[bytes], seconds: float) -> tuple[bytes, bool]:
    """All of an answer and that it ended, or as much of it as may be held back."""
    held: list[bytes] = []
    size = 0
    async with asyncio.timeout(seconds):
        async for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                return b"".join(held), False
    return b"".join(held), True


def read(found: httpx.Response, content: bytes) -> Any:
    """The JSON of an answer; None where there is none."""
    try:
        plain = httpx.Response(found.status_code, headers=encoding(found), content=content).content
        return jsontext.loads(plain) if plain else None
    except (ValueError, RecursionError, httpx.DecodingError):
        return None


def lesson(errand: Errand, found: httpx.Response, body: Any) -> list[Entry]:
    """What the copy learns from an answer."""
    if errand.found is None:
        return []
    return told.by(errand.method, found.status_code, errand.found, body, datetime.now(UTC))


def order_of(errand: Errand, found: httpx.Response, body: Any, at: float) -> roles.Order | None:
    """The order of the environment's roles, if that is what was asked for."""
    place = errand.found.place if errand.found and not errand.found.action else None
    listed = place is not None and place.by is None and place.resource.name == roles.NAME
    asked = errand.method == "GET" and not errand.request.scope["query_string"]
    return roles.told(body, at) if listed and asked and found.status_code == HTTPStatus.OK else None


def encoding(found: httpx.Response) -> dict[str, str]:
    """How an answer's body is encoded."""
    name = "Content-Encoding"
    return {name: found.headers[name]} if name in found.headers else {}


def parcel(errand: Errand) -> Parcel:
    """The request as it is passed on."""
    query = errand.request.scope["query_string"]
    target = errand.path.encode("latin-1") + (b"?" + query if query else b"")
    headers, body = outward(errand), None
    if errand.framing:
        headers.append(errand.framing)
        body = sent(errand)
    elif errand.method not in READS:
        headers.append((b"content-length", b"0"))
    template = errand.found.place.template if errand.found and not errand.found.action else places.family(errand.path)
    shared = errand.known and not errand.path.startswith(SLOW_ALONE)
    return Parcel(errand.method, target, template, tuple(headers), body, priority(errand), shared)


def priority(errand: Errand) -> Priority:
    """Whose turn it is: whoever does not have our key must not keep the copy from following WorkOS."""
    if not errand.known:
        return Priority.STRANGER
    return Priority.READ if errand.method in READS else Priority.WRITE


def outward(errand: Errand) -> list[tuple[bytes, bytes]]:
    """The request's headers; it is answered in an encoding that the caller reads and, where we learn, we as well."""
    given = passage.raw(errand.request.headers.raw, KEPT_HERE)
    encodings = b", ".join(value for name, value in given if name == b"accept-encoding")
    if errand.instructive or not encodings:
        encodings = b"gzip" if b"gzip" in encodings else b"identity"
    return [*((name, value) for name, value in given if name != b"accept-encoding"), (b"accept-encoding", encodings)]


async def sent(errand: Errand) -> AsyncIterator[bytes]:
    """The body as it is passed on: at once, or while it comes in."""
    if errand.held is not None:
        yield errand.held
        return
    async for chunk in paced(errand.request.stream(), backend(errand.request).passage.timeout):
        yield chunk


async def paced(chunks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """A body as it comes in; whoever stops sending, or never comes to an end, is given up."""
    ends = time.monotonic() + SENDING
    while True:
        try:
            async with asyncio.timeout(min(seconds, ends - time.monotonic())):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise ClientDisconnect from error
        yield chunk


def whole(found: httpx.Response, content: bytes) -> Response:
    """An answer that was held back until the copy had learnt from it."""
    response = Response(content, found.status_code)
    length = [] if found.status_code == HTTPStatus.NO_CONTENT else [(b"content-length", str(len(content)).encode())]
    response.raw_headers = [*inward(found), *length]
    return response


def streamed(found: httpx.Response, head: bytes, rest: AsyncIterator[bytes]) -> Response:
    """An answer that is handed on while it comes in."""

    async def chunks() -> AsyncIterator[bytes]:
        try:
            if head:
                yield head
            async for chunk in rest:
                yield chunk
        finally:
            await found.aclose()

    response = StreamingResponse(chunks(), found.status_code, background=BackgroundTask(found.aclose))
    length = [(name, value) for name, value in found.headers.raw if name.lower() == b"content-length"]
    response.raw_headers = [*inward(found), *length]
    return response


def inward(found: httpx.Response) -> list[tuple[bytes, bytes]]:
    """The answer's headers, and where it comes from."""
    return [*passage.raw(found.headers.raw, KEPT_THERE), (SOURCE.lower().encode(), WORKOS.encode())]


def unserved(error: Exception, status: HTTPStatus, code: str, wait: float | None = None) -> Response:
    """What is answered when WorkOS does not, in the form of its own errors."""
    log.warning("request.unserved", kind=code, error=f"{type(error).__name__}: {error}")
    return refused(status, code, WORDS[code], errors.retry_after(wait) if wait else {})


def refused(status: HTTPStatus, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An answer of our own, where WorkOS's belongs."""
    content = jsontext.dumps({"message": message, "code": code})
    return Response(content, status, {**(headers or {}), SOURCE: WORKOS}, "application/json")
