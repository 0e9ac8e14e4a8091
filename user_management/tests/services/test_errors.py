"""What WorkOS answers instead of what was asked for, and what that means to us."""

import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import (
    BadAnswer,
    KeyRefused,
    ObjectNotFound,
    OutcomeUnknown,
    Refused,
    WorkOSUnavailable,
    refusal,
)
from user_management.tests.services.conftest import KEY, Answer

USERS = ("user_management", "users")
SENT = {"password": "hunter2"}

TAKEN = {"code": "email_not_available", "message": "This email is not available."}
FIELD = {"field": "email", "code": "required"}

BODIES: list[tuple[int, Any, str, str | None, tuple[Mapping[str, Any], ...]]] = [
    (400, {"message": "No.", "code": "invalid_metadata"}, "No.", "invalid_metadata", ()),
    (
        400,
        {"message": "Could not create user.", "code": "user_creation_error", "errors": [TAKEN]},
        "Could not create user.",
        "user_creation_error",
        (TAKEN,),
    ),
    (422, {"message": "Validation failed.", "errors": [FIELD]}, "Validation failed.", None, (FIELD,)),
    (404, {"message": "User not found: 'user_1'."}, "User not found: 'user_1'.", None, ()),
    (
        400,
        {"error": "invalid_grant", "error_description": "The code is used."},
        "The code is used.",
        "invalid_grant",
        (),
    ),
    (400, {"message": ["too short", "too weak"], "error": "Bad Request"}, "too short; too weak", None, ()),
    (409, {"message": "In use.", "code": "user_deletion_not_allowed"}, "In use.", "user_deletion_not_allowed", ()),
    (400, {"message": "No.", "errors": ["plain words"]}, "No.", None, ({"message": "plain words"},)),
    (400, {"message": "No.", "errors": {"email": "wrong"}}, "No.", None, ()),
    (400, {"error": "Bad Request"}, "Bad Request", None, ()),
    (400, {"message": None, "code": None, "errors": None}, "no message", None, ()),
    (400, {}, "no message", None, ()),
    (400, None, "no message", None, ()),
    (400, ["a list"], "no message", None, ()),
    (400, "a string", "no message", None, ()),
    (400, 7, "no message", None, ()),
]


@pytest.mark.parametrize(("status", "body", "message", "code", "errors"), BODIES)
async def test_every_error_body_becomes_one_refusal(
    *,
    status: int,
    body: Any,
    message: str,
    code: str | None,
    errors: tuple[Mapping[str, Any], ...],
    remote: WorkOS,
    answer: Answer,
) -> None:
    """Whatever form WorkOS gives its refusal, the caller reads status, message, code and errors in one place."""
    answer(status, json=body, headers={"X-Request-ID": "req_1"})
    with pytest.raises(Refused) as raised:
        await remote.request("post", USERS, body={})
    found = raised.value.refusal
    assert (found.status, found.message, found.code, found.errors) == (status, message, code, errors)
    assert found.request_id == "req_1"
    assert str(raised.value) == f"WorkOS answered {status}: {message}"


@pytest.mark.parametrize("text", ["", "<html>Bad Request</html>", '{"message": "cut o', "\udcff"])
async def test_a_refusal_without_json_still_is_one(text: str, remote: WorkOS, answer: Answer) -> None:
    """A 400 from a proxy, empty or cut short is a refusal without words."""
    answer(400, content=text.encode(errors="surrogateescape"))
    with pytest.raises(Refused) as raised:
        await remote.request("get", USERS)
    assert raised.value.refusal == refusal(400, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"message": "Unauthorized"}),
        (401, {"message": "Could not authorize the request.", "code": "unauthorized"}),
        (401, {"error": "invalid_client", "error_description": "Invalid client secret."}),
        (401, None),
        (400, {"error": "invalid_client", "error_description": "Invalid client ID or secret."}),
        (403, {"message": "Forbidden"}),
        (403, {"message": "Forbidden", "code": "unauthorized"}),
        (403, {"error": "Forbidden", "message": "Not in this plan."}),
        (403, {"error": {"nested": True}}),
    ],
)
async def test_our_key_is_refused(status: int, body: Any, remote: WorkOS, answer: Answer) -> None:
    """A 401, or a 403 that names no reason of the caller's, is for the operator and never for a client."""
    answer(status, json=body)
    with pytest.raises(KeyRefused, match=f"WorkOS refuses our API key \\({status}: "):
        await remote.request("post", USERS, body={})


@pytest.mark.parametrize("code", ["email_verification_required", "mfa_challenge", "password_reset_not_allowed"])
async def test_a_403_with_a_code_is_the_callers(code: str, remote: WorkOS, answer: Answer) -> None:
    """A 403 whose code says what the caller is to do next is passed on as a refusal."""
    answer(403, json={"message": "Not yet.", "code": code, "pending_authentication_token": "pat_1"})
    with pytest.raises(Refused) as raised:
        await remote.request("post", USERS, body={})
    assert (raised.value.refusal.status, raised.value.refusal.code) == (403, code)
    assert raised.value.refusal.more == {"pending_authentication_token": "pat_1"}
    assert "pat_1" not in str(raised.value) + repr(raised.value) + repr(raised.value.refusal)


async def test_a_404_in_the_words_of_workos_is_not_found(remote: WorkOS, answer: Answer) -> None:
    """Only WorkOS itself can say that there is no such object."""
    answer(404, json={"message": "User not found.", "code": "entity_not_found"})
    with pytest.raises(ObjectNotFound) as raised:
        await remote.request("get", (*USERS, "user_1"))
    assert raised.value.refusal.code == "entity_not_found"


@pytest.mark.parametrize("text", ["<html>404 Not Found</html>", "", '"Not Found"', "[]", "null"])
async def test_a_404_of_somebody_else_is_not_believed(text: str, remote: WorkOS, answer: Answer) -> None:
    """A proxy's 404 must not delete an object that WorkOS still has."""
    answer(404, text=text)
    with pytest.raises(BadAnswer, match="404"):
        await remote.request("get", (*USERS, "user_1"))


@pytest.mark.parametrize(
    "body",
    [
        {"code": "rate_limit_exceeded", "message": "Slow down.", "retry_after": 9},
        {"message": "Rate limit exceeded. See the WorkOS docs."},
        {"error": "too_many_requests", "error_description": "Slow down."},
        None,
        ["slow", "down"],
    ],
)
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (" 0 ", 0.0), (None, None), ("soon", None), ("-1", None), ("9" * 400, None)]
)
async def test_a_429_asks_to_wait(
    body: Any, header: str | None, seconds: float | None, remote: WorkOS, answer: Answer
) -> None:
    """A rate limit is waited out, as long as its header says, whatever its body; nothing was done."""
    answer(429, json=body, headers={"Retry-After": header} if header else {})
    with pytest.raises(WorkOSUnavailable) as raised:
        await remote.request("post", USERS, body={})
    assert raised.value.retry_after == seconds


async def test_a_429_about_one_person_is_the_callers(remote: WorkOS, answer: Answer) -> None:
    """Whoever guesses passwords slows down nobody but themselves."""
    answer(429, json={"code": "rate_limit_exceeded", "message": "Slow down."}, headers={"Retry-After": "30"})
    with pytest.raises(Refused) as raised:
        await remote.ask("post", ("user_management", "authenticate"), body={}, personal=True)
    found = raised.value.refusal
    assert (found.status, found.code, found.retry_after) == (429, "rate_limit_exceeded", 30.0)


async def test_retry_after_may_be_a_date(remote: WorkOS, answer: Answer) -> None:
    """An HTTP date is the seconds until then, and one that has passed is no wait."""
    then = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    answer(429, headers={"Retry-After": format_datetime(then, usegmt=True)})
    with pytest.raises(WorkOSUnavailable) as raised:
        await remote.request("get", USERS)
    assert (then - datetime.now(UTC)).total_seconds() <= (raised.value.retry_after or 0) <= 600
    answer(503, headers={"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"})
    with pytest.raises(WorkOSUnavailable) as raised:
        await remote.request("get", USERS)
    assert raised.value.retry_after == 0


async def test_a_daily_quota_is_not_waited_for(remote: WorkOS, answer: Answer) -> None:
    """A quota that ends tomorrow is told to the caller; backing off does not cure it."""
    answer(429, json={"code": "daily_quota_exceeded", "message": "No more mails today."}, headers={"Retry-After": "1"})
    with pytest.raises(Refused) as raised:
        await remote.request("post", USERS, body={})
    assert (raised.value.refusal.status, raised.value.refusal.code) == (429, "daily_quota_exceeded")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", ['{"message": "Oh."}', '"upstream"', "<html>", ""])
@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("get", WorkOSUnavailable),
        ("GET", WorkOSUnavailable),
        ("post", OutcomeUnknown),
        ("put", OutcomeUnknown),
        ("delete", OutcomeUnknown),
    ],
)
async def test_a_5xx_is_sent_once(
    *, status: int, body: str, method: str, error: type[Exception], remote: WorkOS, answer: Answer
) -> None:
    """A read that failed can be repeated, a write may have been done; nobody below us repeats either."""
    route = answer(status, text=body, headers={"Retry-After": "3"})
    with pytest.raises(error, match=str(status)) as raised:
        await remote.request(method, USERS)
    assert route.call_count == 1
    assert getattr(raised.value, "retry_after", None) == 3


WAYS: list[tuple[Exception, type[Exception]]] = [
    (httpx.ConnectTimeout("slow"), WorkOSUnavailable),
    (httpx.ConnectError("refused"), WorkOSUnavailable),
    (httpx.PoolTimeout("full"), WorkOSUnavailable),
    (httpx.ReadTimeout("slow"), OutcomeUnknown),
    (httpx.WriteTimeout("slow"), OutcomeUnknown),
    (httpx.ReadError("connection reset by peer"), OutcomeUnknown),
    (httpx.WriteError("broken pipe"), OutcomeUnknown),
    (httpx.RemoteProtocolError("server disconnected"), OutcomeUnknown),
]


@pytest.mark.parametrize(("broken", "meaning"), WAYS)
async def test_a_write_without_an_answer(
    broken: Exception, meaning: type[Exception], remote: WorkOS, answer: Answer
) -> None:
    """What never left was not done; what left may have been, and is not sent again."""
    route = answer(error=broken)
    with pytest.raises(meaning):
        await remote.request("post", USERS, body={"email": "ada@example.com"})
    assert route.call_count == 1


@pytest.mark.parametrize("broken", [way for way, _ in WAYS])
async def test_a_read_without_an_answer(broken: Exception, remote: WorkOS, answer: Answer) -> None:
    """A read can be repeated, whenever it broke; it is up to us when."""
    route = answer(error=broken)
    with pytest.raises(WorkOSUnavailable):
        await remote.request("get", USERS)
    assert route.call_count == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("method", ["get", "post"])
async def test_no_error_tells_a_secret(method: str, status: int, remote: WorkOS, answer: Answer) -> None:
    """Neither our key nor what was sent or answered beside the message is in an error's words."""
    answer(status, json={"message": "No.", "password_reset_token": "tok_1", "access_token": "tok_2"})
    with pytest.raises(Exception, match="WorkOS") as raised:
        await remote.request(method, USERS, body={"password": "hunter2"})
    assert not [secret for secret in (KEY, "hunter2", "tok_1", "tok_2") if secret in str(raised.value)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
async def test_no_cause_tells_a_secret(status: int, remote: WorkOS, answer: Answer) -> None:
    """Whoever logs an error logs where it came from: nothing of what was sent or answered hangs on it."""
    answer(status, json={"message": "No.", "value": "sk_live_1", "pending": {"code": "123456"}})
    with pytest.raises(Exception, match="WorkOS") as raised:
        await remote.request("post", USERS, body=SENT)
    told = "".join(traceback.format_exception(raised.value)) + "".join(map(repr, chain(raised.value)))
    assert not [secret for secret in (KEY, "hunter2", "sk_live_1", "123456") if secret in told]
    assert f": {status}, request" in told


def chain(error: BaseException | None) -> Iterator[object]:
    """An error, what it holds, and all that led to it."""
    while error is not None:
        yield from (error, vars(error))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
async def test_a_redirect_is_no_answer(method: str, status: int, remote: WorkOS, answer: Answer) -> None:
    """A redirect is neither followed, for the key would go along, nor taken for success."""
    route = answer(status, headers={"Location": "https://elsewhere.test/"})
    with pytest.raises(BadAnswer, match=str(status)):
        await remote.request(method, USERS)
    assert route.call_count == 1
