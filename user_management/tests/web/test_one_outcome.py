"""A source that drops its answers: exactly one user for each write, and the caller is told the truth.

`ONE_OUTCOME_TRIALS=10000 python -m pytest user_management/tests/web/test_one_outcome.py` makes the long run.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.mirror.users import resource as users
from user_management.tests.support import copies
from user_management.tests.support.local_workos import HEADERS, URL, LocalWorkOS, Wire
from user_management.tests.web.conftest import Serve

TRIALS = int(os.environ.get("ONE_OUTCOME_TRIALS", "120"))
PLENTY = 1_000_000
"""Requests a minute: trials are to be about answers, and not about patience."""
AT_ONCE = 8
FAULTS = {"lost-reply": 0.3, "500": 0.08, "reset": 0.08, "slow": 0.02, "truncated": 0.03}
"""No 429: it leaves no doubt about what was done, and slows everybody down."""
AGAIN = {409, 503, 504}

Apis = Sequence[httpx.AsyncClient]
"""The processes that serve the API, one of which any request may reach."""


class Impatient(Wire):
    """A network on which whoever has waited for long hangs up, while the request that was sent goes on."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.late: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The app's answer, if it comes in time."""
        task = asyncio.create_task(super().handle_async_request(request))
        done, _ = await asyncio.wait({task}, timeout=request.extensions["timeout"]["read"])
        if done:
            return task.result()
        self.late.add(task)
        raise httpx.ReadTimeout("too slow", request=request)


@asynccontextmanager
async def unreliable(serve: Serve, local: LocalWorkOS) -> AsyncIterator[Apis]:
    """Two processes of the API before a WorkOS that answers badly; in the end all that was on its way has arrived."""
    await local.call("PUT", "/_sandbox/faults", {"shares": FAULTS, "paths": "/user_management/users",
                                                 "slow_seconds": 0.4})  # fmt: skip
    wire = Impatient(local.app)
    async with (
        httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http,
        serve(http, workos_timeout=0.3, workos_requests_per_minute=PLENTY) as one,
        serve(http, workos_timeout=0.3, workos_requests_per_minute=PLENTY) as two,
    ):
        yield [one, two]
        await asyncio.gather(*wire.late, return_exceptions=True)
    await local.misbehave({})


@asynccontextmanager
async def impostors(pool: Pool) -> AsyncIterator[None]:
    """Every so often all who are at work are taken for dead, though they live."""

    async def end_leases() -> None:
        while True:
            await pool.execute("UPDATE writes SET leased_until = now() WHERE state = 'begun'")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(end_leases())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def person(number: int) -> dict[str, Any]:
    """Somebody; every second one has an id of the caller's."""
    own = {"external_id": f"customer-{number}"} if number % 2 else {}
    return {"email": f"Person.{number}@Example.com", "first_name": f"P{number}", "metadata": {"n": str(number)}, **own}


async def insist(apis: Apis, number: int, told: Counter[str]) -> httpx.Response:
    """Ask until there is an outcome, under one key."""
    key = {"Idempotency-Key": f"key-{number}"}
    while True:
        api = apis[told.total() % len(apis)]
        answer = await api.post("/api/users", json=person(number), headers=key)
        told[f"{answer.status_code}"] += 1
        if answer.status_code not in AGAIN:
            return answer


async def try_once(apis: Apis, number: int, told: Counter[str]) -> httpx.Response:
    """Ask without a key, and again only when nothing was done."""
    while True:
        answer = await apis[told.total() % len(apis)].post("/api/users", json=person(number))
        told[f"{answer.status_code}"] += 1
        if answer.status_code != 503:
            return answer


async def trials(apis: Apis, numbers: range, told: Counter[str], ask: Any) -> dict[int, httpx.Response]:
    """The outcome of each trial, several at once; of some, two callers ask with the same key at the same time."""
    random, gate, outcomes = Random(1), asyncio.Semaphore(AT_ONCE), dict[int, httpx.Response]()  # noqa: S311  a seed

    async def one(number: int, callers: int) -> None:
        async with gate:
            answers = await asyncio.gather(*(ask(apis, number, told) for _ in range(callers)))
            assert len({answer.content for answer in answers}) == 1, [answer.text for answer in answers]
            outcomes[number] = answers[0]

    callers = {number: 2 if ask is insist and random.random() < 0.2 else 1 for number in numbers}
    await asyncio.gather(*(one(number, count) for number, count in callers.items()))
    return outcomes


@asynccontextmanager
async def followed(listener: Listener) -> AsyncIterator[None]:
    """Let the copy learn of everything by the feed as well, meanwhile and to its end."""
    await copies.begin(listener)
    stop = asyncio.Event()
    following = asyncio.create_task(follow(listener, stop))
    try:
        yield
    finally:
        stop.set()
        await following


async def follow(listener: Listener, stop: asyncio.Event) -> None:
    """Follow until told to stop, and then to the end."""
    while not stop.is_set():
        await copies.drain(listener)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.05)
    await copies.drain(listener)


async def people(local: LocalWorkOS) -> dict[str, str]:
    """The id of everybody at WorkOS, by address; each write that was accepted made one of them, and each has one."""
    users = await local.objects("users")
    writes = (await local.call("GET", "/_sandbox/writes"))["data"]
    assert Counter(write["id"] for write in writes) == dict.fromkeys(users, 1)
    found = {user["email"]: key for key, user in users.items()}
    assert len(found) == len(users)
    return found


def report(capsys: pytest.CaptureFixture[str], what: str, told: Counter[str], sandbox: Any) -> None:
    """Say what a long run came to."""
    if "ONE_OUTCOME_TRIALS" in os.environ:
        with capsys.disabled():
            counts = {name: sandbox[name] for name in ("counts", "writes", "injected")}
            sys.stderr.write(f"\n{what}: {TRIALS} trials, answers {dict(told)}, source {counts}\n")


async def test_with_a_key_every_write_is_done_once(
    serve: Serve, local: LocalWorkOS, listener: Listener, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever insists under a key ends with 201 and the one user there is, and every repeat says the same.

    Even where those at work are taken for dead while they live, and others take over.
    """
    told: Counter[str] = Counter()
    async with followed(listener), unreliable(serve, local) as apis, impostors(pool):
        outcomes = await trials(apis, range(TRIALS), told, insist)
        assert {answer.status_code for answer in outcomes.values()} == {201}
        for number in range(0, TRIALS, 7):
            assert (await insist(apis, number, told)).content == outcomes[number].content
    found = await people(local)
    assert {answer.json()["email"]: answer.json()["id"] for answer in outcomes.values()} == found
    assert len(found) == TRIALS
    copies.assert_equal(users, await copies.live(pool, users.name), await local.objects(users.name))
    await copies.assert_equal_to_journal(pool)
    report(capsys, "with a key", told, await local.call("GET", "/_sandbox"))


async def test_without_a_key_nobody_is_told_what_is_not_true(
    serve: Serve, local: LocalWorkOS, listener: Listener, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """201 names the one user there is, an unknown outcome is called so, and nobody is refused what they did."""
    told: Counter[str] = Counter()
    await copies.begin(listener)
    async with unreliable(serve, local) as apis:
        outcomes = await trials(apis, range(TRIALS), told, try_once)
    await copies.drain(listener)
    found = await people(local)
    assert {answer.status_code for answer in outcomes.values()} <= {201, 504}
    made = {answer.json()["email"]: answer.json()["id"] for answer in outcomes.values() if answer.status_code == 201}
    assert made.items() <= found.items()
    copies.assert_equal(users, await copies.live(pool, users.name), await local.objects(users.name))
    await copies.assert_equal_to_journal(pool)
    report(capsys, "without a key", told, await local.call("GET", "/_sandbox"))
