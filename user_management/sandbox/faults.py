import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SLOW: Final = "slow"
LOST_REPLY: Final = "lost-reply"
REPEATED_PAGE: Final = "repeated-page"
TRUNCATED: Final = "truncated"
RESET: Final = "reset"
_JSON: Final = b"application/json"
_RATE_LIMITED: Final = orjson.dumps({"code": "rate_limit_exceeded", "message": "Rate limit exceeded."})
_BROKEN: Final = orjson.dumps({"message": "Something went wrong.", "error": "Internal Server Error"})
_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>WorkOS</title></head><body><h1>We'll be right back</h1></body></html>"
)
_HTML: Final = b"text/html; charset=utf-8"
_ANSWERS: Final[dict[str, tuple[int, bytes, bytes, list[tuple[bytes, bytes]]]]] = {
    "429": (429, _JSON, _RATE_LIMITED, [(b"retry-after", b"1")]),
    "429-bare": (429, _JSON, _RATE_LIMITED, []),
    "500": (500, _JSON, _BROKEN, []),
    "503": (503, _HTML, _PAGE, []),
    "html": (200, _HTML, _PAGE, []),
}
NAMES: Final = (*_ANSWERS, TRUNCATED, RESET, SLOW, LOST_REPLY, REPEATED_PAGE)
"""Every way to misbehave."""

_ROUNDING: Final = 1e-9

Answer = tuple[dict[str, Any], bytes]
"""A whole answer: its start message and its body."""


def check(shares: Mapping[str, float]) -> None:
    """Raise ValueError for an unknown fault, or for shares that are not parts of one whole."""
    if unknown := sorted(set(shares) - set(NAMES)):
        raise ValueError(f"unknown fault {unknown[0]}; known: {', '.join(NAMES)}")
    if not all(0 <= share <= 1 for share in shares.values()) or sum(shares.values()) > 1 + _ROUNDING:
        raise ValueError("shares must be 0 to 1, together at most 1")


class FaultInjector:
    """Decides by a seed which requests meet which fault, and how often each did."""

    def __init__(self, shares: Mapping[str, float], *, seed: int = 1, slow_seconds: float = 5.0) -> None:
        self.counts: Counter[str] = Counter()
        self.pages: dict[tuple[tuple[str, str], ...], Answer] = {}
        self.set(shares, seed=seed, slow_seconds=slow_seconds)

    def set(self, shares: Mapping[str, float], *, seed: int = 1, slow_seconds: float = 5.0, paths: str = "/") -> None:
        """Misbehave like this from now on, on paths that begin so; raises ValueError for an unknown fault or share."""
        check(shares)
        self.shares, self.seed, self.paths, self.slow_seconds = dict(shares), seed, paths, slow_seconds
        self._random = Random(seed)  # noqa: S311 - faults by seed, no secrets

    def choose(self, method: str, path: str) -> str | None:
        """The fault of this request, or None; every request on the paths draws once, whatever its method."""
        if not self.shares or path.startswith("/_sandbox") or not path.startswith(self.paths):
            return None
        point = self._random.random()
        for name, share in self.shares.items():
            if point < share:
                return name if _applies(name, method, path) else None
            point -= share
        return None

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The same app, misbehaving."""
        return Misbehaviour(app, self)


def _applies(name: str, method: str, path: str) -> bool:
    if name == LOST_REPLY:
        return method != "GET"
    return name != REPEATED_PAGE or (method == "GET" and path == "/events")


class Misbehaviour:
    """ASGI middleware that answers as a bad day would."""

    def __init__(self, app: ASGIApp, injector: FaultInjector) -> None:
        self._app = app
        self._injector = injector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is to meet a fault."""
        fault = self._injector.choose(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if fault is not None:
            await self._misbehave(fault, scope, receive, send)
        elif REPEATED_PAGE in self._injector.shares and scope.get("path") == "/events":
            await _send(await self._remember(scope, receive), send)
        else:
            await self._app(scope, receive, send)

    async def _misbehave(self, fault: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._injector.counts[fault] += 1
        if fault in _ANSWERS:
            await _send(_answer(*_ANSWERS[fault]), send)
        elif fault == SLOW:
            await self._delay(scope, receive, send)
        elif fault == REPEATED_PAGE:
            former = self._injector.pages.get(_filter_of(scope))
            await _send(former or await self._remember(scope, receive), send)
        else:
            await self._break(fault, scope, receive, send)

    async def _delay(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer late; whoever waits while the server shuts down is cut off instead, without a traceback."""
        try:
            await asyncio.sleep(self._injector.slow_seconds)
        except asyncio.CancelledError:
            await reset(send)
        else:
            await self._app(scope, receive, send)

    async def _break(self, fault: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the answer short, lose it after the work was done, or refuse to begin."""
        if fault == RESET:
            await reset(send)
            return
        start, body = await _capture(self._app, scope, receive)
        if fault == LOST_REPLY:
            await reset(send)
            return
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await _send(_answer(start["status"], _JSON, body[: len(body) // 2], headers), send)

    async def _remember(self, scope: Scope, receive: Receive) -> Answer:
        answer = await _capture(self._app, scope, receive)
        if answer[0]["status"] == 200:  # noqa: PLR2004 - OK
            self._injector.pages[_filter_of(scope)] = answer
        return answer


async def reset(send: Send) -> None:
    """Close the connection without an answer: a TCP reset under uvicorn, ConnectionResetError elsewhere.

    uvicorn's `send` is a method of the cycle that owns the transport, the only way to it from ASGI.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox reset the connection")
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:  # the peer may have gone already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0)


async def _capture(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The answer of an app, kept instead of sent."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return dict(messages[0]), b"".join(message.get("body", b"") for message in messages[1:])


def _answer(status: int, media_type: bytes, body: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
    kept = [(name, value) for name, value in headers if name != b"content-type"]
    length = str(len(body)).encode()
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", media_type), (b"content-length", length), *kept],
    }
    return start, body


async def _send(answer: Answer, send: Send) -> None:
    start, body = answer
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _filter_of(scope: Scope) -> tuple[tuple[str, str], ...]:
    """A query without its place in the feed: what makes two polls of one listener alike."""
    query = parse_qsl(scope["query_string"].decode())
    return tuple(sorted((name, value) for name, value in query if name not in {"after", "range_start"}))
