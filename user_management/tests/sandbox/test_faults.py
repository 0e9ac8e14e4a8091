import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from user_management.sandbox.config import Config
from user_management.sandbox.faults import FaultInjector
from user_management.tests.sandbox.conftest import EVENTS, KEY, Start, WorkOS, served
from user_management.tests.support import processes
from user_management.tests.support.waiting import PATIENCE, until

USERS = "/user_management/users"


@pytest.mark.parametrize(
    ("fault", "status", "retry_after", "media_type"),
    [
        ("429", 429, "1", "application/json"),
        ("429-bare", 429, None, "application/json"),
        ("500", 500, None, "application/json"),
        ("503", 503, None, "text/html; charset=utf-8"),
        ("html", 200, None, "text/html; charset=utf-8"),
    ],
)
async def test_answers_of_a_bad_day(
    start: Start, fault: str, status: int, retry_after: str | None, media_type: str
) -> None:
    """These faults answer in place of the sandbox, and a write is not done."""
    workos = start(faults={fault: 1.0})
    answer = await workos.client.post(USERS, json={"email": "ada@example.com"})
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert answer.headers["content-type"] == media_type
    assert (await workos.get("/_sandbox"))["counts"]["users"] == 0


async def test_truncated_answers_fit_their_length(start: Start) -> None:
    """Half of the JSON arrives with a content-length that does not give it away."""
    answer = await start(faults={"truncated": 1.0}).client.get("/authorization/roles")
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


async def test_reset_does_nothing_and_lost_reply_does_the_work(start: Start) -> None:
    """After both the client knows nothing; only the log of writes tells them apart."""
    workos = start(faults={"reset": 1.0})
    for count in (0, 1):
        with pytest.raises(ConnectionResetError):
            await workos.client.post(USERS, json={"email": "ada@example.com"})
        assert len((await workos.get("/_sandbox/writes"))["data"]) == count
        await workos.send("PUT", "/_sandbox/faults", {"shares": {"lost-reply": 1}})
    assert (await workos.get(USERS))["data"][0]["email"] == "ada@example.com"


async def test_repeated_page(start: Start) -> None:
    """The feed answers what the same filter got before, whatever the cursor."""
    workos = start(faults={"repeated-page": 0.0})
    await workos.user("a@example.com")
    first = await workos.get("/events", events=EVENTS)
    await workos.user("b@example.com")
    await workos.send("PUT", "/_sandbox/faults", {"shares": {"repeated-page": 1}})
    assert await workos.get("/events", events=EVENTS, after=first["data"][0]["id"]) == first
    assert (await workos.get("/events", events="user.created"))["data"] != []


async def test_slow_answers_come_in_the_end(start: Start) -> None:
    """A slow answer is a good one."""
    workos = start(faults={"slow": 1.0}, fault_slow_seconds=0.001)
    assert (await workos.get("/authorization/roles"))["object"] == "list"
    assert (await workos.get("/_sandbox"))["injected"] == {"slow": 1}


def test_shares_are_kept_and_repeat_by_seed() -> None:
    """The same seed gives the same faults, each about as often as its share says."""
    first, second = (FaultInjector({"500": 0.2, "reset": 0.1}, seed=7) for _ in range(2))
    met = [first.choose("GET", "/events") for _ in range(10_000)]
    assert met == [second.choose("GET", "/events") for _ in range(10_000)]
    assert (round(met.count("500") / 10_000, 2), round(met.count("reset") / 10_000, 2)) == (0.2, 0.1)


def test_faults_keep_to_their_paths() -> None:
    """A prefix confines them, and the control endpoints are never hit."""
    injector = FaultInjector({})
    injector.set({"500": 1.0}, paths="/events")
    assert injector.choose("GET", "/events") == "500"
    assert injector.choose("GET", USERS) is None
    injector.set({"500": 1.0})
    assert injector.choose("GET", "/_sandbox") is None
    assert FaultInjector({"lost-reply": 1.0}).choose("GET", USERS) is None


@pytest.mark.parametrize("body", [{}, {"shares": {"gremlin": 1}}, {"shares": {"500": 2}}, {"shares": {"500": "x"}}])
async def test_unknown_faults_are_refused(workos: WorkOS, body: object) -> None:
    """A wrong name or share is a 422 and changes nothing."""
    await workos.send("PUT", "/_sandbox/faults", body, 422)
    assert (await workos.get("/_sandbox"))["faults"]["shares"] == {}


@pytest.fixture
async def remote() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a sandbox behind a real socket."""
    async with served(Config()) as url, httpx.AsyncClient(base_url=url, headers=KEY, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("fault", ["reset", "lost-reply"])
async def test_over_tcp_the_connection_is_reset(remote: httpx.AsyncClient, fault: str) -> None:
    """A real client sees a transport error, and the next request works."""
    await remote.put("/_sandbox/faults", json={"shares": {fault: 1.0}})
    with pytest.raises(httpx.TransportError):
        await remote.post(USERS, json={"email": f"{fault}@example.com"})
    await remote.put("/_sandbox/faults", json={"shares": {}})
    found = (await remote.get(USERS, params={"email": f"{fault}@example.com"})).json()["data"]
    assert len(found) == (fault == "lost-reply")


WAITING = b"GET /events HTTP/1.1\r\nHost: workos\r\n\r\n"
HALF = (
    f"POST {USERS} HTTP/1.1\r\nHost: workos\r\nAuthorization: Bearer sk_sandbox\r\nContent-Length: 2\r\n\r\n".encode()
)


@pytest.mark.parametrize(("asked", "seconds"), [(WAITING, "600"), (HALF, "0.01")], ids=["waiting", "half a request"])
async def test_who_hangs_up_leaves_no_traceback(asked: bytes, seconds: str) -> None:
    """Neither later nor when the sandbox ends while it owes them an answer."""
    process = await processes.start(
        "user_management.sandbox", "--port", "0", "--fault", "slow=1", "--fault-slow-seconds", seconds, silent=False
    )
    assert process.stdout is not None
    url = httpx.URL((await process.stdout.readline()).split()[3].decode())
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(asked)

    async def met() -> bool:
        async with httpx.AsyncClient(base_url=url) as client:
            return bool((await client.get("/_sandbox")).json()["injected"])

    await until(met)
    writer.close()
    assert await met()
    assert await processes.end(process) == 0
    assert "Traceback" not in (await process.communicate())[1].decode()
