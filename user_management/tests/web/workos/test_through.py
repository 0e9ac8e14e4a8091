"""What is passed on reaches WorkOS as it was sent, comes back as it is, and is in the copy by then."""

from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from user_management.db.session import Pool
from user_management.journal import checkpoints
from user_management.tests.support.local_workos import HEADERS, KEY, URL, LocalWorkOS
from user_management.tests.web.conftest import Serve, place
from user_management.tests.web.workos.conftest import Follow, entries, served, source
from user_management.web.workos import learnt, places

USERS, MEMBERSHIPS = "/user_management/users", "/user_management/organization_memberships"
MINE = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
async def echo(serve: Serve, pool: Pool) -> Any:
    """A caller of an API whose WorkOS answers with what it was sent, and the requests it was sent."""
    seen: list[tuple[Request, bytes]] = []

    async def answer(request: Request) -> Response:
        seen.append((request, await request.body()))
        headers = {"X-Request-ID": "req_1", "Set-Cookie": "a=b", "Alt-Svc": "h3", "X-WorkOS-Thing": "1"}
        return Response(b"\x00\xffbytes", 418, headers, "application/octet-stream")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PATCH", "DELETE"])])
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http,
        serve(http, workos_base_url=f"{URL}/prefix") as client,
    ):
        yield client, seen


async def test_a_request_arrives_as_it_was_sent(echo: Any) -> None:
    """Method, path, query and body to the byte, and the headers that are for WorkOS."""
    client, seen = echo
    await client.request(
        "PATCH", "/vault/v1/kv/a%2Fb%20c?x=%41&x=2&&y", content=b"\x00{not json",
        headers={**MINE, "Idempotency-Key": "k", "User-Agent": "ua", "Cookie": "mine=1", "X-Forwarded-For": "10.0.0.1",
                 "Connection": "keep-alive, X-Hop", "X-Hop": "1", "Content-Type": "text/x"},
    )  # fmt: skip
    ((request, body),) = seen
    assert (request.method, body, request.scope["query_string"]) == ("PATCH", b"\x00{not json", b"x=%41&x=2&&y")
    assert request.scope["raw_path"] == b"/prefix/vault/v1/kv/a%2Fb%20c"
    told = dict(request.headers)
    assert told == {
        "host": "workos.test", "authorization": f"Bearer {KEY}", "idempotency-key": "k", "user-agent": "ua",
        "content-type": "text/x", "content-length": "10", "accept": "*/*", "accept-encoding": "gzip, deflate",
    }  # fmt: skip


async def test_an_answer_comes_back_as_it_is(echo: Any) -> None:
    """Status, body and headers, with WorkOS's own request id; but nothing that is for visitors of WorkOS's own host."""
    client, _ = echo
    answer = await client.get("/vault/v1/kv", headers=MINE)
    assert (answer.status_code, answer.content, source(answer)) == (418, b"\x00\xffbytes", "workos")
    assert answer.headers.get_list("X-Request-ID") == ["req_1"]
    assert answer.headers["X-WorkOS-Thing"] == "1"
    assert not {"set-cookie", "alt-svc"} & answer.headers.keys()


@pytest.mark.parametrize("path", ["/user_management/%2e%2e/x", "/a/..%2fb", "/a/%2E%2E%5Cb"])
async def test_no_path_leaves_its_place(echo: Any, path: str) -> None:
    """Dots that lead elsewhere are refused here, whoever asks."""
    client, seen = echo
    answer = await client.get(path, headers=MINE)
    assert (answer.status_code, answer.json()["code"], seen) == (400, "invalid_path", [])


@pytest.mark.parametrize(
    ("raw", "escapes"),
    [(b"/a/../b", True), (b"/%2e%2e/b", True), (b"/a%2f..%5cb", True), (b"/a/.", True), (b"/a/...b", False),
     (b"/users/external_id/a..b", False), (b"/a/%252e%252e/b", False)],
)  # fmt: skip
def test_dots_are_seen_however_they_are_spelled(raw: bytes, *, escapes: bool) -> None:
    """Only whole segments lead elsewhere; what is encoded twice nobody decodes twice."""
    assert places.escapes(raw) is escapes


STRANGERS: list[dict[str, str]] = [
    {}, {"Authorization": "Bearer sk_other"}, {"Authorization": KEY}, {"Authorization": f"bearer {KEY}"},
    {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY} "[:-2]}, {"X-API-Key": KEY},
]  # fmt: skip


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
async def test_every_other_key_is_workos_s_to_judge(
    serve: Serve, local: LocalWorkOS, follow: Follow, pool: Pool, headers: dict[str, str]
) -> None:
    """Nothing is served from the copy without WorkOS's key, and nothing learnt: WorkOS answers, with its own 401."""
    user = await local.user()
    await follow()
    async with serve(local.http) as client:
        answers = [
            await client.get(f"{USERS}/{user['id']}", headers=headers),
            await client.get("/events?events=user.created", headers=headers),
            await client.delete(f"{USERS}/{user['id']}", headers=headers),
        ]
    assert [(one.status_code, one.json(), source(one)) for one in answers] == [
        (401, {"message": "Unauthorized"}, "workos")
    ] * 3
    assert await entries(pool, user["id"]) == [("events", "user.created")]


async def test_writes_are_read_at_once(root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """Create, change and delete: each is in the copy before it is answered, though no event has come."""
    made = await root.post(USERS, json={"email": "ada@example.com"})
    path = f"{USERS}/{made.json()['id']}"
    assert (made.status_code, (await root.get(path)).json()) == (201, made.json())
    changed = await root.put(path, json={"first_name": "Ada"})
    assert (await root.get(path)).json() == changed.json()
    gone = await root.delete(path)
    answers = [changed, gone, await root.get(path)]
    assert [(one.status_code, source(one)) for one in answers] == [(200, "workos"), (200, "workos"), (404, "copy")]
    assert await entries(pool, made.json()["id"]) == [
        ("reply", "user.replied"), ("reply", "user.replied"), ("reply", "user.deleted")
    ]  # fmt: skip


async def test_the_events_of_a_write_change_nothing(root: httpx.AsyncClient, pool: Pool, follow: Follow) -> None:
    """What a reply told, the feed confirms."""
    made = (await root.post("/organizations", json={"name": "Anchor"})).json()
    await follow()
    again = await root.get(f"/organizations/{made['id']}")
    assert (again.json(), source(again)) == (made, "copy")


async def test_what_is_done_with_an_object_is_learnt(root: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """An action answers with the object, which is what it is from then on."""
    membership = await local.membership(await local.user(), await local.organization())
    path = f"{MEMBERSHIPS}/{membership['id']}"
    assert (await root.put(f"{path}/deactivate")).json()["status"] == "inactive"
    await root.get("/user_management/users", headers={"Cache-Control": "no-cache"})
    await root.get("/organizations", headers={"Cache-Control": "no-cache"})
    shown = await root.get(path)
    assert (shown.json()["status"], source(shown)) == ("inactive", "copy")


async def test_a_sign_in_teaches_nothing(root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """The user inside an authentication reply is not whole, and stays out of the copy."""
    user = await local.user(password="correct-horse")
    body = {"grant_type": "password", "email": user["email"], "password": "correct-horse",
            "client_id": "client_sandbox", "client_secret": KEY}  # fmt: skip
    answers = [
        await root.post("/user_management/authenticate", json=body),
        await root.post("/user_management/authenticate", json=body, headers={"Authorization": ""}),
    ]
    assert [(one.status_code, one.json()["user"]["id"]) for one in answers] == [(200, user["id"])] * 2
    assert await entries(pool, user["id"]) == []


async def test_a_copy_that_cannot_learn_keeps_nothing_back(
    root: httpx.AsyncClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody holds the journal, a write is answered all the same, and the log says so."""
    monkeypatch.setattr(learnt, "RECORDING", 0.05)
    async with pool.acquire() as connection, connection.transaction():
        await checkpoints.lock(connection)
        with structlog.testing.capture_logs() as logs:
            answer = await root.post(USERS, json={"email": "ada@example.com"})
    assert answer.status_code == 201
    assert [line["event"] for line in logs] == ["reply.not_learnt"]


async def test_a_read_that_tells_nothing_new_is_not_recorded(
    root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool
) -> None:
    """It does not even wait for whoever writes the journal."""
    user = await local.user()
    fresh = {"Cache-Control": "no-cache"}
    await root.get(f"{USERS}/{user['id']}", headers=fresh)
    async with pool.acquire() as connection, connection.transaction():
        await checkpoints.lock(connection)
        assert (await root.get(f"{USERS}/{user['id']}", headers=fresh)).status_code == 200
    assert await entries(pool, user["id"]) == [("list", "user.listed")]


async def test_an_answer_without_a_body_says_how_long_it_would_be(serve: Serve, pool: Pool) -> None:
    """`HEAD` of what we mirror, too: there is nothing in it to learn from."""

    async def answer(_request: Request) -> Response:
        return Response(headers={"Content-Length": "321"})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["HEAD"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http, serve(http) as client:
        answers = [await client.head(path, headers=HEADERS) for path in (f"{USERS}/user_1", "/vault/v1/kv")]
    assert [one.headers["Content-Length"] for one in answers] == ["321", "321"]


FAILURES: list[tuple[Exception, int, str]] = [
    (httpx.ConnectError("no route"), 503, "workos_unavailable"),
    (httpx.ConnectTimeout("slow"), 503, "workos_unavailable"),
    (httpx.ReadTimeout("slow"), 504, "workos_timeout"),
    (httpx.ReadError("reset"), 502, "workos_unreadable"),
]


@pytest.mark.parametrize(("error", "status", "code"), FAILURES, ids=str)
async def test_when_workos_is_away_the_sdk_is_told(
    serve: Serve, pool: Pool, error: Exception, status: int, code: str
) -> None:
    """In WorkOS's own form, so that its SDKs know what to do."""

    class Away(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if isinstance(error, httpx.RequestError):
                error.request = request
            raise error

    async with httpx.AsyncClient(transport=Away()) as http, serve(http) as client:
        answer = await client.post(USERS, json={"email": "ada@example.com"}, headers=HEADERS)
    assert (answer.status_code, answer.json()["code"], source(answer)) == (status, code, "workos")
    assert answer.json().keys() == {"code", "message"}


async def test_bodies_stream_both_ways(serve: Serve, pool: Pool) -> None:
    """What is sent in pieces arrives whole, without a length, and so does what is answered in pieces."""

    async def answer(request: Request) -> Response:
        assert request.headers["transfer-encoding"] == "chunked"
        return StreamingResponse(iter([await request.body()] * 3), media_type="application/octet-stream")

    async def chunks() -> Any:
        for number in range(300):
            yield b"%05d" % number * 1000

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http, serve(http) as client:
        answered = await client.post("/vault/v1/kv", content=chunks(), headers=HEADERS)
    assert len(answered.content) == 3 * 300 * 5000


@pytest.mark.parametrize("path", ["/", "/api/nowhere", "/api", "/webhooks/nowhere", "/webhooks", "/metrics"])
async def test_our_own_paths_stay_ours(echo: Any, path: str) -> None:
    """What begins like ours never leaves for WorkOS."""
    client, seen = echo
    answer = await client.get(path, headers=MINE)
    assert ("Replica-Source" in answer.headers, seen) == (False, [])


async def test_whose_turn_it_is(serve: Serve, local: LocalWorkOS, pool: Pool) -> None:
    """Reads through pay from the budget that everybody shares."""
    await place(pool, ready=False)
    async with served(serve, local) as client:
        await client.get(USERS)
        await client.post(USERS, json={"email": "ada@example.com"})
        await client.get(USERS, headers={"Authorization": "Bearer sk_other"})
    assert await pool.fetchval("SELECT minute FROM budget") == 3
