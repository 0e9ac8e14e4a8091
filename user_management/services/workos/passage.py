"""The passage: a caller's own request, sent on to WorkOS byte for byte, and WorkOS's answer as it comes.

The SDK has no part in it. What is sent and what comes back is the caller's and WorkOS's; ours is what it costs.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from user_management.errors import Fix
from user_management.services.workos.bucket import Priority
from user_management.services.workos.budget import Budget
from user_management.services.workos.client import NEVER_SENT, address, answered, observed
from user_management.services.workos.errors import BadAnswer, OutcomeUnknown, WorkOSUnavailable

CONNECTIONS = 100
"""The most connections to WorkOS that callers with our key hold at once, in one process."""
STRANGERS = 10
"""The same for all others together: whoever is slow among them is in nobody else's way."""
PATIENCE = 5.0
"""Seconds a stranger's request waits for the budget."""


class Unsendable(Fix):
    """The request is none that HTTP can carry."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request to pass on: `target` is path and query as they were sent, `template` the path for metrics."""

    method: str
    target: bytes
    template: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: AsyncIterator[bytes] | None
    priority: Priority
    ours: bool
    """Whether it is sent with our own key, so that a 429 is meant for all of us."""


class Stream(httpx.AsyncByteStream):
    """A body that is sent while it comes in."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.chunks:
            if chunk:
                yield chunk


@dataclass(frozen=True, slots=True)
class Passage:
    """The way to WorkOS for requests that are not ours; `key` is our own, by which callers are known."""

    http: httpx.AsyncClient
    strangers: httpx.AsyncClient
    """The way of those who do not have our key."""
    url: httpx.URL
    key: bytes
    timeout: float = 30.0
    budget: Budget | None = None

    async def send(self, parcel: Parcel) -> httpx.Response:
        """WorkOS's answer, its body yet to be read, to be closed by the caller.

        `WorkOSUnavailable` if it cannot be reached, `OutcomeUnknown` if it does not answer, `BadAnswer` if what it
        says is no HTTP, `Unsendable` if the request is none.
        """
        request = self.request(parcel)
        if self.budget is not None:
            await self.paid(self.budget, parcel)
        told = {"http.request.method": parcel.method, "url.template": parcel.template,
                "server.address": self.url.host}  # fmt: skip
        with observed(told):
            answer = await self.answer(request, parcel.priority)
            answered.set(answer.status_code)
        if parcel.ours and answer.status_code == HTTPStatus.TOO_MANY_REQUESTS and self.budget is not None:
            await self.budget.slow_down(seconds(answer.headers.get("Retry-After")))
        return answer

    def request(self, parcel: Parcel) -> httpx.Request:
        """The request as it leaves: nothing but the host is ours, not even httpx's own headers."""
        target = self.url.raw_path.rstrip(b"/") + parcel.target
        try:
            url = self.url.copy_with(raw_path=target)
        except httpx.InvalidURL as error:
            raise Unsendable(f"the address cannot be sent: {error}") from error
        patience = httpx.Timeout(self.timeout).as_dict()
        return httpx.Request(
            parcel.method,
            url,
            headers=[(b"Host", self.url.netloc), *parcel.headers],
            stream=httpx.ByteStream(b"") if parcel.body is None else Stream(parcel.body),
            extensions={"timeout": patience, "target": target},
        )

    async def answer(self, request: httpx.Request, priority: Priority) -> httpx.Response:
        """The answer to one request, which is sent once; what it did if none came is told apart."""
        http = self.strangers if priority is Priority.STRANGER else self.http
        try:
            return await http.send(request, stream=True, auth=None, follow_redirects=False)
        except NEVER_SENT as error:
            raise WorkOSUnavailable(f"WorkOS cannot be reached{address(error)}") from error
        except httpx.TimeoutException as error:
            raise OutcomeUnknown("WorkOS did not answer in time") from error
        except httpx.LocalProtocolError as error:
            raise Unsendable("the request cannot be sent as it is") from error
        except httpx.TransportError as error:
            raise BadAnswer("The connection to WorkOS broke before an answer came") from error

    @staticmethod
    async def paid(budget: Budget, parcel: Parcel) -> None:
        """Wait until the request may be sent, but not for long: somebody is waiting."""
        try:
            async with asyncio.timeout(PATIENCE):
                await budget.spend(parcel.priority)
        except TimeoutError as error:
            raise WorkOSUnavailable("the request budget is used up", retry_after=1.0) from error


def seconds(words: str | None) -> float | None:
    """The seconds a `Retry-After` names as a number; a date is left to the budget's own guess."""
    return float(words) if words is not None and words.isascii() and words.isdigit() else None


def over(
    http: httpx.AsyncClient, *, key: str, base_url: str, seconds: float, budget: Budget | None = None
) -> Passage:  # fmt: skip
    """A passage over a given httpx client."""
    return Passage(http, http, httpx.URL(base_url), key.encode(), seconds, budget)


def without_cookies() -> CookieJar:
    """A jar that takes nothing: one caller's cookies are not another's."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


@asynccontextmanager
async def opened(*, key: str, base_url: str, seconds: float, budget: Budget | None = None) -> AsyncIterator[Passage]:
    """A passage over httpx clients of its own, for the length of the block."""
    async with pool(CONNECTIONS) as known, pool(STRANGERS) as strangers:
        yield Passage(known, strangers, httpx.URL(base_url), key.encode(), seconds, budget)


def pool(connections: int) -> httpx.AsyncClient:
    """A client that holds so many connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(limits=limits, cookies=without_cookies())


def raw(headers: Iterable[tuple[bytes, bytes]], left_out: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Headers without those of one connection alone, and without those that are left out."""
    given = [(name.lower(), value) for name, value in headers]
    named = {word.strip().lower() for name, value in given if name == b"connection" for word in value.split(b",")}
    return [(name, value) for name, value in given if name not in HOP_BY_HOP | named | left_out]


HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""The headers that RFC 9110 keeps to one connection."""
