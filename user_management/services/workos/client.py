"""One request to WorkOS: raw JSON in, raw JSON out, none of the SDK's own retries, and one family of errors."""

import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from opentelemetry.trace import SpanKind
from workos import AsyncWorkOSClient, WorkOSError
from workos._errors import APIError  # the root does not export it
from workos._http import HTTPResponse  # nor this
from workos._types import Deserializable  # nor this

from user_management.services.workos.bucket import Priority
from user_management.services.workos.budget import Budget
from user_management.services.workos.errors import (
    BadAnswer,
    KeyRefused,
    NotAllowed,
    ObjectNotFound,
    OutcomeUnknown,
    Refusal,
    Refused,
    SlowDown,
    WorkOSUnavailable,
    refusal,
)
from user_management.telemetry import metrics, spans

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
READS = frozenset({"get", "head"})
REDIRECTS = range(300, 400)
WORD = re.compile(r"[a-z_]+(?:-[a-z]+)*")

answered: ContextVar[int | None] = ContextVar("answered", default=None)
"""The status of the answer to the request at hand; None while there is none."""


class Given(str):
    """A segment of a path that a caller gave: metrics and traces show `{id}` in its place."""

    __slots__ = ()


class Reported(Exception):
    """What the SDK raised, without anything of what was sent or answered: whoever logs our error logs its cause too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """WorkOS's success: its status and its JSON, None when there is none; not `readable` if its body is no JSON."""

    status: int
    body: Any = None
    readable: bool = True

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object it carries; `{}` when it carries none."""
        return self.body if isinstance(self.body, dict) else {}


class Sdk(AsyncWorkOSClient):
    """The SDK, made to tell of answers that it trips over or keeps to itself."""

    @staticmethod
    def _raise_error(response: HTTPResponse) -> None:
        """Raise the error of an answer, also when its body is JSON of a form the SDK does not expect."""
        try:
            AsyncWorkOSClient._raise_error(response)  # noqa: SLF001  the hook we stand in for
        except (AttributeError, TypeError) as error:
            raise APIError("unreadable", status_code=response.status_code, response=response) from error

    def _deserialize_response(self, response: HTTPResponse, model: type[Deserializable] | None) -> Any:
        """The answer as it came; a redirect is none, though the SDK takes it, and HTML, for an empty one."""
        status = response.status_code
        answered.set(status)
        if status in REDIRECTS:
            raise APIError("redirected", status_code=status, response=response)
        if model is not None:
            return super()._deserialize_response(response, model)
        if status == HTTPStatus.NO_CONTENT or not response.content.strip():
            return Answer(status)
        try:
            return Answer(status, response.json())
        except (ValueError, RecursionError):
            return Answer(status, readable=False)


@dataclass(frozen=True, slots=True)
class WorkOS:
    """A connection to one WorkOS environment."""

    sdk: AsyncWorkOSClient
    timeout: float = 30.0
    host: str = ""
    budget: Budget | None = None
    """What its requests are paid from; without one they are free."""
    priority: Priority = Priority.READ

    def at(self, priority: Priority) -> "WorkOS":
        """The same connection, for requests of a priority."""
        return replace(self, priority=priority)

    @property
    def credentials(self) -> dict[str, str]:
        """Our client id and secret, which WorkOS wants in the body where somebody signs in."""
        return {"client_id": self.sdk.client_id or "", "client_secret": self.sdk._api_key or ""}  # noqa: SLF001  it has no public name

    def attributes(self, method: str, path: str) -> dict[str, str]:
        """What traces and metrics say of a request to the template of a path."""
        return {"http.request.method": method, "url.template": path, "server.address": self.host}

    async def request(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The JSON object in WorkOS's answer (`{}` without one); errors of `services.workos.errors`."""
        return (await self.ask(method, path, params=params, body=body)).fields

    async def ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        personal: bool = False,
    ) -> Answer:
        """WorkOS's answer as it came; errors of `services.workos.errors`, which hold nothing of what was sent.

        What is `personal` WorkOS limits for each person: a 429 is then a refusal like any other.
        """
        if self.budget is not None:
            await self.budget.spend(self.priority)
        with observed(self.attributes(method.upper(), template(path))):
            try:
                answer: Any = await self.sdk.request(
                    method,
                    path,
                    params=dict(params or {}) or None,
                    body=dict(body) if body is not None else None,
                    request_options={"max_retries": 0, "timeout": self.timeout},
                )
            except WorkOSError as error:
                answered.set(getattr(error, "status_code", None))
                failure, cause = translated(error, method, personal=personal), reported(error)
            except (ValueError, RecursionError, httpx.InvalidURL) as error:
                failure, cause = unsendable(error), reported(error)
            else:
                return answer if isinstance(answer, Answer) else Answer(HTTPStatus.OK, answer)
            if isinstance(failure, SlowDown) and self.budget is not None:
                await self.budget.slow_down(failure.retry_after)
            raise failure from cause


@contextmanager
def observed(told: dict[str, str]) -> Iterator[None]:
    """Count and trace one request by the template of its path; its query stays out, for it may name people."""
    began, failure = time.perf_counter(), None
    token = answered.set(None)
    name = f"{told['http.request.method']} {told['url.template']}"
    with spans.step(name, told, kind=SpanKind.CLIENT) as span:
        try:
            yield
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            status = answered.get()
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            metrics.calls.record(time.perf_counter() - began, *told.values(), status, failure)
            answered.reset(token)


def template(path: tuple[str, ...]) -> str:
    """The path with `{id}` for what is no word of WorkOS's: what a caller gave, and what words cannot be."""
    segments = [
        part if WORD.fullmatch(part) and not isinstance(part, Given) and not named(before) else "{id}"
        for before, part in zip(("", *path), path, strict=False)
    ]
    return "/" + "/".join(segments)


def named(before: str) -> bool:
    """Whether WorkOS's path says that an external id follows."""
    return before == "external_id" and not isinstance(before, Given)


@asynccontextmanager
async def connect(
    *, api_key: str, client_id: str, base_url: str, seconds: float, budget: Budget | None = None
) -> AsyncIterator[WorkOS]:
    """A connection over an httpx client of ours; each request may take `seconds`, and waits for the budget first."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=20)) as http:
        yield over(http, api_key=api_key, client_id=client_id, base_url=base_url, seconds=seconds, budget=budget)


def over(
    http: httpx.AsyncClient,
    *,
    api_key: str,
    client_id: str,
    base_url: str,
    seconds: float = 30.0,
    budget: Budget | None = None,
) -> WorkOS:
    """A connection over a given httpx client."""
    sdk = Sdk(api_key=api_key, client_id=client_id or None, base_url=base_url, http_client=http, max_retries=0)
    return WorkOS(sdk, seconds, urlsplit(base_url).hostname or "", budget)


def translated(error: WorkOSError, method: str, *, personal: bool = False) -> Exception:
    """The SDK's error as one of ours: wait, fix, not found, misconfigured, or not known."""
    if not isinstance(error, APIError) or error.status_code is None:
        return unanswered(error, method)
    said = refusal(
        error.status_code, error.response_json, error.request_id or None, retry_after=retry_after(error)
    )  # fmt: skip
    if disbelieved(error):
        return BadAnswer(f"WorkOS answered {error.status_code}, but not in its words: is somebody else at its address?")
    if ours(said):
        kind = NotAllowed if error.status_code == HTTPStatus.FORBIDDEN else KeyRefused
        return kind(f"WorkOS refuses our API key ({error.status_code}: {said.message})")
    if error.status_code == HTTPStatus.TOO_MANY_REQUESTS and not (personal or said.code == "daily_quota_exceeded"):
        return SlowDown("WorkOS asks to slow down", retry_after=retry_after(error))
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failed(error, method)
    return ObjectNotFound(said) if error.status_code == HTTPStatus.NOT_FOUND else Refused(said)


def reported(error: Exception) -> Reported:
    """What may be kept of an error of the SDK's, whose text and fields hold the whole answer."""
    if isinstance(error, APIError):
        return Reported(f"{type(error).__name__}: {error.status_code}, request {error.request_id or 'without an id'}")
    return Reported(f"{type(error).__name__}: {error}" if isinstance(error, WorkOSError) else type(error).__name__)


def disbelieved(error: APIError) -> bool:
    """Whether somebody else answered: with a redirect, or with a 404 that is not JSON (a 404 can delete)."""
    lost = error.status_code == HTTPStatus.NOT_FOUND and not isinstance(error.response_json, dict)
    return lost or error.status_code in REDIRECTS


def ours(said: Refusal) -> bool:
    """Whether it is our key that is refused: by every 401, and by a 403 that names no reason of the caller's.

    `invalid_client` is about the client id and the key that we send in a body.
    """
    unnamed = said.status == HTTPStatus.FORBIDDEN and not said.code_is_for_the_caller
    return unnamed or said.status == HTTPStatus.UNAUTHORIZED or said.code == "invalid_client"


def unsendable(error: Exception) -> Refused:
    """What never left: an id that cannot be one (empty, `.`, `..`), or a request that JSON or a URL cannot carry."""
    if "path segment" in str(error):
        return ObjectNotFound(refusal(HTTPStatus.NOT_FOUND, {"message": str(error)}))
    return Refused(refusal(HTTPStatus.BAD_REQUEST, {"message": f"the request cannot be sent: {error}"}))


def unanswered(error: WorkOSError, method: str) -> Exception:
    """What no answer means: nothing was done if nothing was sent, or if nothing was to be done."""
    if method.lower() in READS or never_sent(error):
        return WorkOSUnavailable(f"WorkOS cannot be reached{address(error)}: {error}")
    return OutcomeUnknown("WorkOS did not answer; it may or may not have done what was asked")


def address(error: BaseException | None) -> str:
    """Where WorkOS was looked for, as part of a sentence: a wrong address and a sandbox that is down show by it."""
    while error is not None:
        if isinstance(error, httpx.TransportError):
            url = error.request.url
            return f" at {url.scheme}://{url.netloc.decode()}"
        error = error.__cause__
    return ""


def failed(error: APIError, method: str) -> Exception:
    """What a 5xx means: a read can be repeated, a write may have been done."""
    if method.lower() in READS:
        return WorkOSUnavailable(f"WorkOS answered {error.status_code}", retry_after=retry_after(error))
    return OutcomeUnknown(
        f"WorkOS answered {error.status_code}; it may or may not have done what was asked",
        retry_after=retry_after(error),
    )


def never_sent(error: BaseException | None) -> bool:
    """Whether the connection failed before a byte of the request left."""
    while error is not None:
        if isinstance(error, NEVER_SENT):
            return True
        error = error.__cause__
    return False


def retry_after(error: APIError) -> float | None:
    """The seconds WorkOS asks to wait, from a number or an HTTP date; None when it does not say."""
    headers = getattr(error.response, "headers", {})
    return AsyncWorkOSClient._parse_retry_after(headers.get("Retry-After"))  # noqa: SLF001  the SDK's own RFC 9110 parser
