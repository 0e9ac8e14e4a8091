"""The endpoint for webhooks: what WorkOS signed is in the copy at once, and nothing else ever gets in."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog

from user_management.db import jsontext
from user_management.db.session import Pool, transaction
from user_management.journal import checkpoints, cursor
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, event, fields, made
from user_management.web import signature
from user_management.web.api import webhooks

OLD, NEW = "whsec_old", "whsec_new"
PATH = "/webhooks/workos"


@pytest.fixture
async def hooked(serve: Serve, local: LocalWorkOS, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API that takes webhooks, under either of two secrets."""
    async with transaction(pool) as connection:
        await cursor.subscribe(connection, catalog.event_types(catalog.resources()))
    async with serve(local.http, webhook_secrets=(OLD, NEW)) as client:
        yield client


def body(number: int = 1, what: str = "user.created", **changes: Any) -> bytes:
    """The body of a webhook."""
    return jsontext.dumps({**event(what, made("user", number, {})), **changes}).encode()


def signed(raw: bytes, *, secret: str = NEW, at: float | None = None, space: str = " ") -> dict[str, str]:
    """The header of a webhook signed so many seconds after 1970, by default now."""
    stamp = str(int((time.time() if at is None else at) * 1000))
    return {"WorkOS-Signature": f"t={stamp},{space}v1={signature.sign(secret, stamp, raw)}"}


async def post(client: httpx.AsyncClient, raw: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """What is answered to a webhook."""
    return await client.post(PATH, content=raw, headers=signed(raw) if headers is None else headers)


async def count(pool: Pool) -> Any:
    """How many entries the journal has."""
    return await pool.fetchval("SELECT count(*) FROM journal")


@pytest.mark.parametrize("space", [" ", "", "  "])
@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_it_is_in_the_copy_before_it_is_answered(
    hooked: httpx.AsyncClient, pool: Pool, space: str, secret: str
) -> None:
    """Under either secret while they are exchanged, and whatever a proxy does to the header's spaces."""
    raw = body()
    answer = await post(hooked, raw, signed(raw, secret=secret, space=space))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "accepted"})
    assert (await hooked.get("/api/users/user_0001")).json()["id"] == "user_0001"
    row = await pool.fetchrow("SELECT lane, verdict, (SELECT event_id FROM cursor) AS place FROM journal")
    assert row is not None
    assert tuple(row) == ("webhook", "pending", None)


async def test_the_same_again_has_no_effect(hooked: httpx.AsyncClient, pool: Pool) -> None:
    """A replay is answered as WorkOS's own repetitions are, and changes nothing."""
    outcomes = [(await post(hooked, body())).json()["outcome"] for _ in range(3)]
    assert (outcomes, await count(pool)) == (["accepted", "known", "known"], 1)


NOW = 1_700_000_000.0
GOOD = f"t={NOW * 1000:.0f}, v1={signature.sign(NEW, f'{NOW * 1000:.0f}', b'{}')}"
BAD: list[tuple[str, str | None, bytes, float]] = [
    ("no header", None, b"{}", NOW),
    ("an empty header", "", b"{}", NOW),
    ("no time", GOOD.partition(" ")[2], b"{}", NOW),
    ("two times", GOOD + ",t=1", b"{}", NOW),
    ("no signature", GOOD.partition(",")[0], b"{}", NOW),
    ("seconds, not milliseconds", f"t={NOW:.0f}, v1={signature.sign(NEW, f'{NOW:.0f}', b'{}')}", b"{}", NOW),
    ("a time that is none", "t=\u0662, v1=00", b"{}", NOW),
    ("an endless time", f"t={'9' * 5000}, v1=00", b"{}", NOW),
    ("a signature that is no hex", f"t={NOW * 1000:.0f}, v1=\u00e9", b"{}", NOW),
    ("a tampered body", GOOD, b"{ }", NOW),
    ("a tampered time", GOOD.replace("t=17", "t=18"), b"{}", NOW),
    ("too old", GOOD, b"{}", NOW + 181),
    ("ahead of our clock", GOOD, b"{}", NOW - 181),
    ("another secret", f"t={NOW * 1000:.0f}, v1={signature.sign('whsec_x', f'{NOW * 1000:.0f}', b'{}')}", b"{}", NOW),
]


@pytest.mark.parametrize(("header", "raw", "now"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_what_workos_has_not_signed_just_now_is_refused(header: str | None, raw: bytes, now: float) -> None:
    """Each of these is no signature."""
    with pytest.raises(signature.BadSignature):
        signature.check(header, raw, [OLD, NEW], now=now)


@pytest.mark.parametrize("off", [-179, 0, 179])
def test_clocks_may_differ_by_three_minutes(off: float) -> None:
    """Either way; and one good signature among several is enough."""
    signature.check(GOOD + ",v1=00", b"{}", [OLD, NEW], now=NOW + off)


async def test_a_forgery_leaves_nothing_but_a_line(hooked: httpx.AsyncClient, pool: Pool) -> None:
    """It is a 401 problem, logged and counted, and not stored."""
    with structlog.testing.capture_logs() as lines:
        answer = await post(hooked, body(), signed(body(2)))
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems/signature")
    assert [line["event"] for line in lines] == ["webhook.refused"]
    assert await count(pool) == 0


ODD = [b"", b"{", b"[]", b"{}", body(id=None), body(id=7), body(event=""), body(data=None), body(data=[])]


@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
async def test_what_is_no_event_is_not_stored(hooked: httpx.AsyncClient, pool: Pool, raw: bytes) -> None:
    """Signed or not: the problem names what is wrong."""
    answer = await post(hooked, raw)
    assert (answer.status_code, bool(fields(answer))) == (422, True)
    assert await count(pool) == 0


async def test_what_is_too_large_is_not_read(hooked: httpx.AsyncClient) -> None:
    """A megabyte is the most."""
    assert (await post(hooked, b"x" * 1_000_001)).status_code == 413


@pytest.mark.parametrize(
    "raw",
    [body(what="vault.data.created"), body(created_at="2025-12-31T23:59:59.000Z")],
    ids=["a type nothing follows", "older than what is followed"],
)
async def test_what_the_feed_will_not_bring_is_not_stored(hooked: httpx.AsyncClient, pool: Pool, raw: bytes) -> None:
    """It would wait for its confirmation for ever."""
    await pool.execute("UPDATE cursor SET boundary = '2026-01-01T00:00:00Z'")
    answer = await post(hooked, raw)
    assert (answer.status_code, answer.json()["outcome"], await count(pool)) == (200, "ignored", 0)


async def test_what_cannot_be_applied_waits_for_the_feed(hooked: httpx.AsyncClient, pool: Pool) -> None:
    """Nothing is parked for a webhook; its entry waits."""
    answer = await post(hooked, body(data={"id": "user_0001"}))
    assert (answer.status_code, answer.json()["outcome"], await count(pool)) == (200, "accepted", 1)
    assert await pool.fetchval("SELECT count(*) FROM failures") == 0


async def test_without_a_secret_there_is_no_endpoint(api: httpx.AsyncClient) -> None:
    """The problem names the setting."""
    answer = await post(api, body())
    assert answer.status_code == 404
    assert "USER_MANAGEMENT_WORKOS_WEBHOOK_SECRET" in answer.json()["detail"]


async def test_a_database_that_does_not_answer_in_time(
    hooked: httpx.AsyncClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a 503, so that WorkOS sends it again; then it is taken."""
    monkeypatch.setattr(webhooks, "RECORDING", 0.05)
    async with transaction(pool) as connection:
        await checkpoints.lock(connection)
        assert (await post(hooked, body())).status_code == 503
    monkeypatch.setattr(webhooks, "RECORDING", 60)
    assert (await post(hooked, body())).json()["outcome"] == "accepted"


async def test_the_same_at_once_is_stored_once(hooked: httpx.AsyncClient, pool: Pool) -> None:
    """Repetitions that race each other: one is new, the others are known."""
    answers = await asyncio.gather(*(post(hooked, body()) for _ in range(6)))
    outcomes = sorted(answer.json()["outcome"] for answer in answers)
    assert (outcomes, await count(pool)) == (["accepted", *["known"] * 5], 1)


async def test_the_sandbox_tells_the_api_whatever_the_feed_holds_back(
    hooked: httpx.AsyncClient, listener: Listener, local: LocalWorkOS
) -> None:
    """People are in the copy before the feed shows them; of lost and repeated ones the feed has the last word."""
    await local.call("PUT", "/_sandbox/hold-back", {"seconds": 3600})
    told = {"url": f"http://api.test{PATH}", "secret": NEW, "lost": 0.2, "repeated": 0.2, "shuffle": True}
    await local.call("PUT", "/_sandbox/webhook", told)
    await local.activity(60)
    await local.app.state.webhooks.send(hooked)
    assert len(await copies.live(listener.pool, "users")) > 0
    await local.call("PUT", "/_sandbox/hold-back", {"seconds": 0})
    await copies.drain(listener)
    for resource in (one for one in catalog.resources() if one.listing.essential):
        held = await copies.live(listener.pool, resource.name)
        copies.assert_equal(resource, held, await local.objects(resource.name))
    await copies.assert_equal_to_journal(listener.pool)
    assert await listener.pool.fetchval("SELECT count(*) FROM journal WHERE lane = 'webhook'") == 0
