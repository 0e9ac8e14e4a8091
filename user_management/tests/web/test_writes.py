import asyncio
from typing import Any

import httpx
import pytest
import respx
import structlog
from starlette.requests import Request

from user_management.db.session import Pool
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, fields, ids
from user_management.tests.web.test_errors import shut
from user_management.web.api import bodies
from user_management.web.problems import Problem

USER = {
    "object": "user", "id": "user_1", "email": "ada@example.com", "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-01T00:00:00.000Z",
}  # fmt: skip
ADA = {"email": "ada@example.com", "first_name": "Ada", "metadata": {"team": "engines"}}


async def test_a_created_user_is_in_the_copy_at_once(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """POST answers with WorkOS's user, which is at WorkOS, in the list and at its `Location`."""
    answer = await api.post("/api/users", json=ADA)
    user = answer.json()
    assert (answer.status_code, user["first_name"], user["metadata"]) == (201, "Ada", {"team": "engines"})
    assert answer.headers["Location"] == f"/api/users/{user['id']}"
    assert ids(await api.get("/api/users")) == [user["id"]]
    assert (await api.get(answer.headers["Location"])).json() == user
    assert list(await local.objects("users")) == [user["id"]]


async def test_exactly_what_was_sent_is_forwarded(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """WorkOS gets the keys the client sent, unknown ones and nulls included, once, and no others."""
    route = remote.post("/user_management/users").respond(201, json=USER)
    sent = {"email": "ada@example.com", "first_name": None, "password": "s3cret", "brand_new": [1]}
    assert (await afar.post("/api/users", json=sent)).status_code == 201
    assert [httpx.Response(200, content=call.request.content).json() for call in route.calls] == [sent]


async def test_a_refusal_is_told_in_workos_words(api: httpx.AsyncClient) -> None:
    """A duplicate e-mail comes back with WorkOS's status, code and errors."""
    await api.post("/api/users", json=ADA)
    answer = await api.post("/api/users", json=ADA)
    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (said["source"], said["code"], said["detail"]) == ("workos", "user_creation_error", "Could not create user.")
    assert said["errors"] == [{"code": "email_not_available", "message": "This email is not available."}]


@pytest.mark.parametrize(
    "case",
    [
        (422, {"message": "Validation failed.", "errors": [{"field": "email", "code": "invalid"}]}, 422, "refused"),
        (403, {"message": "No.", "code": "radar_denied"}, 403, "refused"),
        (409, {"message": "Conflict.", "code": "conflict"}, 409, "refused"),
        (401, {"message": "Unauthorized"}, 502, "workos-key"),
        (403, {"message": "Forbidden"}, 502, "workos-key"),
        (429, {"message": "Slow down."}, 503, "workos-unavailable"),
        (500, {"message": "Oops."}, 504, "outcome-unknown"),
        (201, {"not": "a user"}, 504, "outcome-unknown"),
    ],
)
async def test_what_workos_answers_decides_what_the_caller_does(
    afar: httpx.AsyncClient, remote: respx.MockRouter, case: tuple[int, object, int, str]
) -> None:
    """Each family of WorkOS's answers has its own status and kind of problem."""
    status, body, expected, kind = case
    route = remote.post("/user_management/users").respond(status, json=body, headers={"Retry-After": "3"})
    answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()["type"]) == (expected, f"/api/problems/{kind}")
    assert route.call_count == 1
    assert answer.headers.get("Retry-After") == ("3" if expected == 503 else None)


@pytest.mark.parametrize(
    ("error", "expected", "kind"),
    [
        (httpx.ConnectError("away"), 503, "workos-unavailable"),
        (httpx.ReadTimeout("slow"), 504, "outcome-unknown"),
        (httpx.ReadError("reset"), 504, "outcome-unknown"),
    ],
)
async def test_a_write_without_an_answer(
    afar: httpx.AsyncClient, remote: respx.MockRouter, error: Exception, expected: int, kind: str
) -> None:
    """Nothing sent is safe to repeat; nothing heard is not, and is never repeated by us."""
    route = remote.post("/user_management/users").mock(side_effect=error)
    answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()["type"]) == (expected, f"/api/problems/{kind}")
    assert (route.call_count, answer.json().get("outcome")) == (1, "unknown" if expected == 504 else None)
    assert ("Retry-After" in answer.headers) is (expected == 503)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"[]", "body"), (b"[" * 100_000, "body"), (b"\xff", "body"), (b"{}", "email"),
        (b'{"email": ""}', "email"), (b'{"email": 7}', "email"), (b'{"email": null}', "email"),
        (b'{"email": "a@b.c", "metadata": "x"}', "metadata"),
    ],
)  # fmt: skip
async def test_a_wrong_body_is_refused_by_field(api: httpx.AsyncClient, content: bytes, field: str) -> None:
    """What cannot be a user is refused before WorkOS is asked, naming the field and repeating no value."""
    answer = await api.post("/api/users", content=content)
    assert (answer.status_code, fields(answer)) == (422, [field])


async def test_a_body_has_a_limit(api: httpx.AsyncClient) -> None:
    """A body of more than a megabyte is refused."""
    answer = await api.post("/api/users", content=b" " * 1_000_001)
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems/too-large")


async def test_a_body_that_ends_early_is_the_callers_fault() -> None:
    """A caller who hangs up while sending causes no error of ours."""

    async def cut_off() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(Problem, match="ended before it was complete"):
        await bodies.raw(Request({"type": "http", "method": "POST", "headers": []}, cut_off))


async def test_secrets_of_a_reply_are_neither_served_nor_stored(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """A token in WorkOS's reply goes no further."""
    remote.post("/user_management/users").respond(201, json={**USER, "access_token": "s3cret"})
    answer = await afar.post("/api/users", json=ADA)
    assert answer.json()["access_token"] == "[redacted]"
    assert "s3cret" not in await pool.fetchval("SELECT string_agg(body::text, '') FROM journal")


async def test_what_workos_accepted_is_answered_though_the_copy_could_not_note_it(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """A write has one outcome: with the database failing after WorkOS accepted, the caller still gets the user."""
    remote.post("/user_management/users").respond(201, json=USER)
    await pool.execute("ALTER TABLE journal RENAME TO gone")
    with structlog.testing.capture_logs() as logs:
        answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()) == (201, USER)
    assert [(line["event"], line["object_id"]) for line in logs] == [("reply.not_recorded", "user_1")]
    assert "ada@example.com" not in str(logs)


async def test_what_workos_accepted_is_answered_though_the_database_lets_nobody_in(
    afar: httpx.AsyncClient, remote: respx.MockRouter, server: str, database_url: str
) -> None:
    """A connection that cannot be had after WorkOS accepted is no reason to say that nothing was done."""
    remote.post("/user_management/users").respond(201, json=USER)
    async with shut(server, database_url):
        answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()) == (201, USER)


async def test_a_caller_who_hangs_up_does_not_undo_the_recording(
    serve: Serve, remote: respx.MockRouter, pool: Pool
) -> None:
    """When the request is cancelled after WorkOS was asked, the copy still learns what WorkOS did."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await answer.wait()
        return httpx.Response(201, json=USER)

    remote.post("/user_management/users").mock(side_effect=slowly)
    async with httpx.AsyncClient() as http, serve(http) as api:
        request = asyncio.create_task(api.post("/api/users", json=ADA))
        await asked.wait()
        request.cancel()
        await asyncio.wait([request])
        answer.set()
    assert await pool.fetchval("SELECT id FROM users") == "user_1"


async def test_a_write_that_failed_is_found_by_its_request(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """The line in the log carries the id that the caller was told, and the next request's lines do not."""
    remote.post("/user_management/users").respond(500)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        told = (await afar.post("/api/users", json=ADA, headers={"X-Request-ID": "my-request.1"})).json()["request_id"]
        await afar.post("/api/users", json=ADA)
    assert [line["event"] for line in logs] == ["request.unserved"] * 2
    assert told == "my-request.1" == logs[0]["request_id"] != logs[1]["request_id"]
