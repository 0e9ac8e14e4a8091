"""Callers without our key reach WorkOS, and keep nobody else from it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.services.workos import passage
from user_management.services.workos.bucket import Priority
from user_management.services.workos.passage import Parcel, Passage
from user_management.tests.support.local_workos import HEADERS, URL
from user_management.tests.web.conftest import Serve
from user_management.web import dependencies
from user_management.web.workos import through

PATH = "/vault/v1/kv"


async def endless() -> AsyncIterator[bytes]:
    """A body that always goes on and never ends."""
    while True:
        yield b"x"
        await asyncio.sleep(0)


async def test_a_key_of_ours_never_leaves(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """Shown where WorkOS's belongs it is refused in WorkOS's words; as `X-API-Key` it is taken off."""
    route = remote.get(PATH).respond(json={})
    shown = [{"Authorization": f"{scheme}umk_secret"} for scheme in ("Bearer ", "bearer  ", "")]
    refused = [await afar.get(PATH, headers=headers) for headers in shown]
    passed = await afar.get(PATH, headers={"X-API-Key": "umk_secret"})
    assert [(one.status_code, one.json()) for one in refused] == [(401, {"message": "Unauthorized"})] * 3
    assert (passed.status_code, route.call_count) == (200, 1)
    assert "x-api-key" not in route.calls.last.request.headers


async def test_an_address_asks_so_often(
    serve: Serve, remote: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is told when to come again, as WorkOS tells it; whoever has our key does not wait with it."""
    monkeypatch.setattr(dependencies, "STRANGERS", 2)
    remote.get(PATH).respond(json={})
    async with httpx.AsyncClient() as http, serve(http) as client:
        answers = [await client.get(PATH, headers=headers) for headers in ({}, {}, {}, HEADERS)]
    assert [one.status_code for one in answers] == [200, 200, 429, 200]
    assert answers[2].json().keys() == {"code", "message"}
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60


async def test_a_slow_stranger_holds_nothing(afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool) -> None:
    """Neither a connection nor a request of the budget, until all of the body is here; then it is sent whole."""
    route = remote.post(PATH).respond(json={})
    began, go = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"a"
        began.set()
        await go.wait()
        yield b"b"

    slow = asyncio.create_task(afar.post(PATH, content=slowly()))
    await began.wait()
    assert not await pool.fetchval("SELECT sum(minute) FROM budget")
    go.set()
    assert (await slow).status_code == 200
    assert route.calls.last.request.content == b"ab"


@pytest.mark.parametrize("headers", [{}, HEADERS], ids=["a stranger", "a caller with our key"])
async def test_a_body_must_come_to_an_end(
    serve: Serve, remote: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """Whoever sends a little, again and again, is given up, with our key or without."""
    monkeypatch.setattr(through, "SENDING", 0.1)
    route = remote.post(PATH).respond(json={})
    async with httpx.AsyncClient() as http, serve(http, workos_timeout=5.0 if headers else 0.1) as client:
        answer = await client.post(PATH, content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["code"], route.call_count) == (400, "invalid_request", 0)


async def test_a_strangers_body_is_held_up_to_a_size(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """A larger one is refused; whoever has our key may send it."""
    route = remote.post(PATH).respond(json={})
    large = b"x" * 1_000_001
    answers = [await afar.post(PATH, content=large, headers=headers) for headers in ({}, HEADERS)]
    assert [one.status_code for one in answers] == [413, 200]
    assert (answers[0].json()["code"], route.call_count) == ("request_too_large", 1)


async def test_strangers_have_connections_of_their_own() -> None:
    """However many they hold, there are others for whoever has our key."""
    sent = []

    def noting(name: str) -> httpx.AsyncClient:
        def answer(_request: httpx.Request) -> httpx.Response:
            sent.append(name)
            return httpx.Response(204)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    way = Passage(noting("known"), noting("strangers"), httpx.URL(URL), b"sk")
    for priority in Priority:
        await way.send(Parcel("GET", b"/", "/", (), None, priority, ours=False))
    assert sent == ["known"] * 5 + ["strangers"]
    async with passage.opened(key="sk", base_url=URL, seconds=1) as opened:
        assert opened.http is not opened.strangers
