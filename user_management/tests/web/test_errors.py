import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import structlog

from user_management.db import session
from user_management.db.session import Pool
from user_management.errors import Misconfigured, Wait
from user_management.mirror.engine import read
from user_management.services.workos.errors import Refused, refusal
from user_management.tests.support.waiting import PATIENCE, blocked, until
from user_management.tests.web.conftest import Serve
from user_management.web import connections, problems
from user_management.web.errors import explain, of_refusal, retry_after
from user_management.web.problems import KINDS


async def test_unknown_addresses_and_methods_are_problems(api: httpx.AsyncClient) -> None:
    """A wrong address and a wrong method are told as problems, with what is allowed."""
    nowhere, wrong = await api.get("/api/nowhere"), await api.delete("/api/check")
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, "/api/problems/no-route")
    assert (wrong.status_code, wrong.json()["type"], wrong.headers["Allow"]) == (
        405, "/api/problems/method-not-allowed", "GET",
    )  # fmt: skip


async def test_a_problem_names_where_and_which_request(api: httpx.AsyncClient) -> None:
    """A problem carries what RFC 9457 asks for, and the id of its request."""
    answer = await api.get("/api/users?limit=0", headers={"X-Request-ID": "my-request.1"})
    said = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id", "errors"} == said.keys()
    assert (said["instance"], said["request_id"], said["status"]) == ("/api/users", "my-request.1", 422)
    assert answer.headers["X-Request-ID"] == "my-request.1"


@pytest.mark.parametrize("given", [None, "", "a b", "é", "x" * 129, "<script>"])
async def test_an_insane_request_id_is_replaced(api: httpx.AsyncClient, given: str | None) -> None:
    """Only a short, plain request id is taken over; every answer has one."""
    headers = {} if given is None else {b"X-Request-ID": given.encode()}
    found = (await api.get("/api/health", headers=headers)).headers["X-Request-ID"]
    assert (len(found), found.isalnum()) == (32, True)


async def test_a_fault_of_ours_leaks_nothing(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected is a 500 with the request's id; the traceback is in the log and nowhere else."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(read, "page", broken)
    with structlog.testing.capture_logs() as logs:
        answer = await api.get("/api/users", headers={"X-Request-ID": "abc"})
    assert (answer.status_code, answer.json()["type"]) == (500, "/api/problems/internal")
    assert (answer.headers["X-Request-ID"], answer.json()["request_id"]) == ("abc", "abc")
    assert "secret" not in answer.text
    assert [(line["event"], line["exc_info"]) for line in logs] == [("request.failed", True)]


async def test_a_database_that_is_away_is_said_so(api: httpx.AsyncClient, server: str, database_url: str) -> None:
    """While the database lets nobody in, reads say when to try again and health is not concerned."""
    assert (await api.get("/api/users")).status_code == 200
    async with shut(server, database_url):
        answers = [await api.get(path) for path in ("/api/users", "/api/ready", "/api/users/x")]
        assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(503, "1")}
        assert {answer.json()["type"] for answer in answers} == {"/api/problems/database-unavailable"}
        assert (await api.get("/api/health")).status_code == 200
    assert (await api.get("/api/users")).status_code == 200


async def test_connections_that_the_server_ended_cost_no_answer(
    api: httpx.AsyncClient, server: str, database_url: str
) -> None:
    """A database that has ended all connections, and is back, serves the very next reads."""
    await asyncio.gather(*(api.get("/api/users") for _ in range(4)))
    async with shut(server, database_url):
        pass
    assert [(await api.get("/api/users")).status_code for _ in range(4)] == [200] * 4


async def test_a_write_that_was_done_is_answered_though_the_database_lets_nobody_in(
    api: httpx.AsyncClient, server: str, database_url: str
) -> None:
    """What WorkOS accepted is never answered as if nothing were done."""
    async with shut(server, database_url):
        answer = await api.post("/api/users", json={"email": "ada@example.com"})
    assert (answer.status_code, answer.json()["email"]) == (201, "ada@example.com")


async def test_an_api_that_begins_while_the_database_is_away_serves_when_it_is_back(
    serve: Serve, server: str, database_url: str
) -> None:
    """A worker that takes the place of one that died must not end because the database is away at that moment."""
    async with AsyncExitStack() as stack:
        async with shut(server, database_url):
            api = await stack.enter_async_context(serve())
            assert (await api.get("/api/users")).status_code == 503
        assert (await api.get("/api/users")).status_code == 200


@asynccontextmanager
async def shut(server: str, database_url: str) -> AsyncIterator[None]:
    """A database that ends its connections and lets no new one in."""
    name = urlsplit(database_url).path[1:]
    connection = await session.connect(server)
    await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await connection.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1", name)
    yield
    await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await connection.close()


async def test_waiting_for_a_connection_ends(
    serve: Serve, database_url: str, monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    """With every connection in use a request waits for a bounded time, and the next one is served again."""
    async with serve(pool_size=1) as api, pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE users")
        stuck = asyncio.create_task(api.get("/api/users"))
        await until(lambda: blocked(blocker, "users"))
        monkeypatch.setattr(connections, "PATIENCE", 0.05)
        answers = [await api.get("/api/organizations")]
        stuck.cancel()
        await asyncio.wait([stuck])
        monkeypatch.setattr(connections, "PATIENCE", PATIENCE)
        answers.append(await api.get("/api/organizations"))
    assert [answer.status_code for answer in answers] == [503, 200]


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
async def test_every_kind_of_problem_explains_itself(api: httpx.AsyncClient, kind: problems.Kind) -> None:
    """The `type` of a problem is an address that says what to do."""
    said = (await api.get(kind.type)).json()
    assert (said["title"], said["advice"], said["status"]) == (kind.title, kind.advice, kind.status)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Wait("w"), 503), (Misconfigured("m"), 502), (OSError(), 503), (TimeoutError(), 503), (ValueError("secret"), 500)],
)
def test_families_of_errors_have_statuses(error: Exception, status: int) -> None:
    """Our families of errors are told by status; the unexpected is told without its words."""
    problem = explain(error)
    assert problem.status == status
    assert "secret" not in str(problem)


def test_what_else_a_refusal_says_is_told_without_secrets_unless_asked_for() -> None:
    """Whoever signs in is told the token that leads on; WorkOS's keys never stand in for ours."""
    body = {"message": "More.", "code": "mfa_challenge", "pending_authentication_token": "pat_1", "status": "odd",
            "user": {"id": "user_1"}}  # fmt: skip
    error = Refused(refusal(403, body))
    members = {"source": "workos", "code": "mfa_challenge", "user": {"id": "user_1"}}
    whole, told = of_refusal(error, whole=True), explain(error)
    assert whole.members == members | {"pending_authentication_token": "pat_1"}
    assert told.members == members | {"pending_authentication_token": "[redacted]"}
    assert told.status == 403


@pytest.mark.parametrize(("status", "headers"), [(403, {}), (429, {"Retry-After": "3"})])
def test_only_a_refusal_that_passes_says_when(status: int, headers: dict[str, str]) -> None:
    """Waiting mends no other."""
    assert explain(Refused(refusal(status, {"message": "No."}, retry_after=2.5))).headers == headers


def test_retry_after_is_never_too_early() -> None:
    """Seconds to wait are whole, rounded up, and at least one."""
    assert [retry_after(seconds)["Retry-After"] for seconds in (0, 0.2, 1.01, 60)] == ["1", "1", "2", "60"]
