"""How often somebody may ask, what they are told of it, and how large their bodies may be."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from user_management.tests.web.conftest import Serve
from user_management.tests.web.test_keys import bearer, made
from user_management.web.api import bodies
from user_management.web.credentials import rates
from user_management.web.credentials.rates import Rates, Spent
from user_management.web.scopes import Scope


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


async def test_each_answer_says_what_is_left(serve: Serve) -> None:
    """In the two headers of the IETF's draft, also on problems, and to each credential for itself."""
    (first, key), (second, other) = made("first"), made("second")
    async with serve(open=False, api_keys=(key, other), rate_limit=100) as api:
        told = [await api.get(path, headers=bearer(first)) for path in ("/api/users", "/api/users/none")]
        told.append(await api.get("/api/users", headers=bearer(second)))
    assert {one.headers["RateLimit-Policy"] for one in told} == {'"default";q=100;w=60'}
    found = [re.fullmatch(r'"default";r=(\d+);t=(\d+)', one.headers["RateLimit"]) for one in told]
    assert [int(one[1]) for one in found if one] == [99, 98, 99]
    assert all(0 < int(one[2]) <= 60 for one in found if one)


async def test_whoever_asks_too_often_is_told_to_wait(serve: Serve) -> None:
    """A 429 that says how long, to them and to nobody else."""
    (first, key), (second, other) = made("first"), made("second")
    async with serve(open=False, api_keys=(key, other), rate_limit=2) as api:
        statuses = [(await api.get("/api/users", headers=bearer(first))).status_code for _ in range(3)]
        answer = await api.get("/api/users", headers=bearer(first))
        assert (await api.get("/api/users", headers=bearer(second))).status_code == 200
        assert (await api.get("/api/health")).status_code == 200
    assert statuses == [200, 200, 429]
    assert answer.json()["type"] == "/api/problems/too-many-requests"
    assert answer.headers["RateLimit"].startswith('"default";r=0;t=')
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_strangers_are_counted_by_address(serve: Serve) -> None:
    """Who shows nothing or something wrong is told to wait in the end; a good credential from there is not."""
    secret, key = made("billing")
    async with serve(open=False, api_keys=(key,), rate_limit=3) as api:
        wrong = [await api.get("/api/users", headers=headers) for headers in ({}, bearer("umk_x"), {}, bearer("umk_y"))]
        assert (await api.get("/api/users", headers=bearer(secret))).status_code == 200
    assert [one.status_code for one in wrong] == [401, 401, 401, 429]
    assert wrong[0].headers["RateLimit-Policy"] == '"failures";q=3;w=60'


async def test_an_open_api_counts_by_address(serve: Serve) -> None:
    """Nobody is known there, and one address is one caller."""
    async with serve(rate_limit=1) as api:
        assert [(await api.get("/api/users")).status_code for _ in range(2)] == [200, 429]


async def test_without_a_limit_nothing_is_counted(serve: Serve) -> None:
    """0 is no limit, and no headers."""
    async with serve(rate_limit=0) as api:
        assert "RateLimit" not in (await api.get("/api/users")).headers


def test_a_new_minute_begins_anew() -> None:
    """The minute of a caller begins with their first request; what was over then is forgotten."""
    clock = Clock()
    counted = Rates("default", 2, now=clock)
    assert [counted.spend("ada") for _ in range(3)] == [Spent(1, 60, False), Spent(0, 60, False), Spent(0, 60, True)]
    clock.now += 59.5
    assert counted.spend("ada") == Spent(0, 1, True)
    clock.now += 0.5
    assert counted.spend("bob") == Spent(1, 60, False)
    assert list(counted.windows) == ["bob"]
    assert counted.spend("ada") == Spent(1, 60, False)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many callers at once push out whoever began first."""
    monkeypatch.setattr(rates, "REMEMBERED", 3)
    counted = Rates("default", 2, now=Clock())
    for number in range(10):
        counted.spend(str(number))
    assert list(counted.windows) == ["7", "8", "9"]


@pytest.mark.parametrize(("limit", "workers", "share"), [(6000, 1, 6000), (6000, 4, 1500), (10, 3, 4), (0, 4, 0)])
def test_workers_share_what_is_allowed(limit: int, workers: int, share: int) -> None:
    """All of them together allow what the setting says, and no worker nothing."""
    assert rates.share(limit, workers) == share


async def endless() -> AsyncIterator[bytes]:
    """A body that never ends."""
    while True:
        yield b" " * 100_000


@pytest.mark.parametrize("path", ["/api/users", "/webhooks/workos"])
async def test_no_body_is_read_beyond_the_limit(serve: Serve, path: str) -> None:
    """One that does not say how large it is is given up when it becomes too large."""
    async with serve(webhook_secrets=("secret",)) as api:
        answer = await api.post(path, content=endless())
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems/too-large")


@pytest.mark.parametrize("length", [str(bodies.LIMIT + 1), "9" * 5000])
@pytest.mark.parametrize("path", ["/api/users", "/webhooks/workos", "/api/failures/1/retry"])
async def test_a_body_that_says_it_is_too_large_is_not_read(serve: Serve, path: str, length: str) -> None:
    """On every route, whether it reads bodies or not."""
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    async with serve(webhook_secrets=("secret",)) as api:
        answer = await api.post(path, content=body(), headers={"Content-Length": length})
    assert (answer.status_code, read) == (413, [])


async def test_nobody_unknown_has_their_body_read(serve: Serve) -> None:
    """Who may not write is refused before a byte was read."""
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    secret, key = made("billing", Scope.READ)
    async with serve(open=False, api_keys=(key,)) as api:
        found: list[httpx.Response] = [
            await api.post("/api/users", content=body(), headers=headers) for headers in ({}, bearer(secret))
        ]
    assert ([one.status_code for one in found], read) == ([401, 403], [])
