"""The `Idempotency-Key`: a write is done once, whoever asks for it how often, and is answered the same each time."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.journal import writes
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, fields
from user_management.tests.web.test_errors import shut
from user_management.tests.web.test_keys import bearer, made
from user_management.tests.web.test_writes import ADA, USER
from user_management.web import ledger
from user_management.web.scopes import Scope

KEY = {"Idempotency-Key": "first-try"}


async def post(api: httpx.AsyncClient, body: Any = ADA, **headers: str) -> httpx.Response:
    """Create a user under the key of these tests."""
    return await api.post("/api/users", json=body, headers={**KEY, **headers})


def parts(answer: httpx.Response) -> tuple[int, bytes, str | None, str]:
    """What must be the same each time."""
    return answer.status_code, answer.content, answer.headers.get("Location"), answer.headers["Content-Type"]


async def abandoned(pool: Pool, digest: str | None = None) -> None:
    """Let the owner of every write at work have died."""
    await pool.execute("UPDATE writes SET state = 'begun', status = NULL, leased_until = now(), object_id = NULL")
    if digest:
        await pool.execute("UPDATE writes SET digest = $1", digest)


async def test_a_repeat_is_answered_the_same(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The same bytes, status and place; WorkOS is asked once; only the repeat says that it is one."""
    first, second = await post(api), await post(api)
    assert first.status_code == 201
    assert parts(first) == parts(second)
    assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
    assert len((await local.call("GET", "/_sandbox/writes"))["data"]) == 1


async def test_the_order_of_keys_makes_no_other_request(api: httpx.AsyncClient) -> None:
    """What is compared is what was said, not how it was written."""
    first = await post(api)
    second = await api.post("/api/users", content=json.dumps(dict(reversed(ADA.items())), indent=3), headers=KEY)
    assert parts(first) == parts(second)


async def test_a_refusal_is_an_outcome(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """WorkOS's refusal is told again in the same bytes, without asking again."""
    route = remote.post("/user_management/users").respond(422, json={"message": "No.", "code": "invalid"})
    first, second = await post(afar), await post(afar)
    assert (first.status_code, route.call_count) == (422, 1)
    assert parts(first) == parts(second)
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("body", [{**ADA, "first_name": "Grace"}, {"email": "grace@example.com"}])
async def test_another_request_under_the_same_key_is_refused(api: httpx.AsyncClient, body: Any) -> None:
    """A key stands for one request; a mistake of the caller's must not look like success."""
    await post(api)
    answer = await post(api, body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/problems/key-reused")


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "caf\u00e9", "\x7f"])
async def test_a_key_that_cannot_be_one_is_refused(api: httpx.AsyncClient, key: str, local: LocalWorkOS) -> None:
    """Nothing is done under a key that might be lost on the way."""
    answer = await api.post("/api/users", json=ADA, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, fields(answer)) == (422, ["Idempotency-Key"])
    assert await local.objects("users") == {}


@pytest.mark.parametrize("status", [429, 401])
async def test_what_was_not_done_leaves_the_key_free(
    afar: httpx.AsyncClient, remote: respx.MockRouter, status: int
) -> None:
    """When WorkOS did nothing, the same key may be used again, even for another body."""
    route = remote.post("/user_management/users").respond(status, json={"message": "No."})
    assert (await post(afar)).status_code in {502, 503}
    route.respond(201, json=USER)
    assert (await post(afar, {"email": "ada@example.com"})).status_code == 201


async def test_many_at_once_are_one(serve: Serve, local: LocalWorkOS) -> None:
    """Of twenty who ask at once over two processes, one does it and all are told the same."""
    async with serve(local.http) as one, serve(local.http) as two:
        answers = await asyncio.gather(*(post(api) for api in (one, two) * 10))
    assert len({parts(answer) for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(await local.objects("users")) == 1


async def test_whoever_waits_too_long_is_told_when_to_ask_again(
    serve: Serve, remote: respx.MockRouter, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first is at work the second waits for a bounded time, and in the end is told the outcome."""
    asked, done = asyncio.Event(), asyncio.Event()

    async def slowly(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await done.wait()
        return httpx.Response(201, json=USER)

    remote.post("/user_management/users").mock(side_effect=slowly)
    monkeypatch.setattr(ledger, "WAITING", 0.1)
    async with httpx.AsyncClient() as http, serve(http) as api:
        first = asyncio.create_task(post(api))
        await asked.wait()
        second = await post(api)
        done.set()
        assert (second.status_code, second.json()["type"]) == (409, "/api/problems/at-work")
        assert int(second.headers["Retry-After"]) >= 1
        assert parts(await first) == parts(await post(api))


async def test_a_write_of_a_dead_process_that_was_done_is_found(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool
) -> None:
    """Whoever takes over a write looks first: what the dead one did is its outcome, and is not done again."""
    first = await post(api)
    await pool.execute("DELETE FROM journal")
    await pool.execute("DELETE FROM users")
    await abandoned(pool)
    second = await post(api)
    assert (second.status_code, second.json()) == (201, first.json())
    assert len((await local.call("GET", "/_sandbox/writes"))["data"]) == 1
    assert await pool.fetchval("SELECT id FROM users") == first.json()["id"]


async def test_a_write_of_a_dead_process_that_was_not_done_is_done(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """A look that finds nothing lets the next one do it."""
    route = remote.post("/user_management/users").respond(500)
    assert (await post(afar)).status_code == 504
    await abandoned(pool)
    route.respond(201, json=USER)
    assert (await post(afar)).status_code == 201
    assert remote.routes["look"].call_count == 2


async def test_a_write_of_a_living_process_is_left_alone(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as its lease runs nobody else does it."""
    monkeypatch.setattr(ledger, "WAITING", 0.0)
    route = remote.post("/user_management/users").respond(500)
    await post(afar)
    await abandoned(pool)
    await pool.execute("UPDATE writes SET leased_until = now() + interval '1 hour'")
    assert (await post(afar)).status_code == 409
    assert route.call_count == 1


async def test_a_key_is_remembered_for_a_day(api: httpx.AsyncClient, pool: Pool) -> None:
    """After that it is a new one, and what is forgotten is cleared away in passing."""
    await post(api)
    columns = "request, digest, state, owner, leased_until"
    await pool.execute(f"INSERT INTO writes (key, {columns}) SELECT 'old', {columns} FROM writes")
    await pool.execute("UPDATE writes SET began_at = now() - interval '25 hours'")
    again = await post(api, {"email": "grace@example.com"})
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (201, False)
    assert [row["key"] for row in await pool.fetch("SELECT key FROM writes")] == ["first-try"]


async def test_the_ledger_holds_no_secrets(afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool) -> None:
    """Neither what was sent nor a token in the reply, nor a digest that a password could be guessed by."""
    remote.post("/user_management/users").respond(201, json={**USER, "access_token": "t0ken"})
    body = {"email": "ada@example.com", "password": "hunter2hunter2"}
    assert (await post(afar, body)).status_code == 201
    dump = await pool.fetchval("SELECT string_agg(writes::text, '') FROM writes")
    assert "hunter2" not in dump
    assert "t0ken" not in dump
    assert ledger.digest(b"", "POST /api/users", body) not in dump
    assert "[redacted]" in dump


async def test_without_a_database_nothing_is_done_under_a_key(
    afar: httpx.AsyncClient, remote: respx.MockRouter, server: str, database_url: str
) -> None:
    """Whoever asks for a promise that cannot be kept is told so, and WorkOS is not asked."""
    route = remote.post("/user_management/users").respond(201, json=USER)
    async with shut(server, database_url):
        assert (await post(afar)).status_code == 503
    assert route.call_count == 0


async def test_an_answer_that_could_only_be_kept_without_the_copy(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """What WorkOS replied is remembered under its key though the journal could not take it."""
    route = remote.post("/user_management/users").respond(201, json=USER)
    await pool.execute("ALTER TABLE journal RENAME TO gone")
    first, second = await post(afar), await post(afar)
    assert (first.status_code, route.call_count) == (201, 1)
    assert parts(first) == parts(second)


async def test_who_lost_the_turn_tells_what_came_of_it(serve: Serve, remote: respx.MockRouter, pool: Pool) -> None:
    """A process that was stopped for long answers with the outcome of whoever took over, not with its own refusal."""
    asked, done = asyncio.Event(), asyncio.Event()

    async def late(_request: httpx.Request) -> httpx.Response:
        if asked.is_set():
            return httpx.Response(201, json=USER)
        asked.set()
        await done.wait()
        return httpx.Response(400, json={"message": "Taken.", "errors": [{"code": "email_not_available"}]})

    remote.post("/user_management/users").mock(side_effect=late)
    async with httpx.AsyncClient() as http, serve(http) as api:
        first = asyncio.create_task(post(api))
        await asked.wait()
        await abandoned(pool)
        second = await post(api)
        done.set()
        assert second.status_code == 201
        assert parts(await first) == parts(second)


async def test_what_made_an_object_can_be_forgotten(api: httpx.AsyncClient, pool: Pool) -> None:
    """Erasing a person takes the answer along that made them."""
    user = (await post(api)).json()
    async with pool.acquire() as connection:
        await writes.forget(connection, user["id"])
    assert await pool.fetchval("SELECT count(*) FROM writes") == 0


async def test_a_key_is_its_own_for_each_credential(serve: Serve, local: LocalWorkOS) -> None:
    """Nobody is told another's secret, nor kept from a key, by naming theirs; a repeat of one's own is answered."""
    path = f"/api/organizations/{(await local.organization())['id']}/api_keys"
    secrets, known = zip(*(made(name, Scope.WRITE) for name in ("one", "other")), strict=True)
    async with serve(local.http, open=False, api_keys=known) as api:
        answers = [
            await api.post(path, json={"name": "Production"}, headers={**KEY, **bearer(secret)})
            for secret in (*secrets, *secrets)
        ]
    values = [answer.json()["value"] for answer in answers]
    assert values[0] != values[1]
    assert values[:2] == values[2:]


async def test_a_key_outlives_that_of_workos(serve: Serve, remote: respx.MockRouter, pool: Pool) -> None:
    """After WorkOS's key was exchanged a repeat is refused, not done again; the operator's query finds the write."""
    secret, known = made("billing", Scope.WRITE)
    route = remote.post("/user_management/users").respond(201, json=USER)
    statuses = []
    for key in ("sk_old", "sk_new"):
        async with httpx.AsyncClient() as http, serve(
            http, open=False, api_keys=(known,), workos_api_key=key
        ) as api:  # fmt: skip
            statuses.append((await post(api, **bearer(secret))).status_code)
    assert (statuses, route.call_count) == ([201, 422], 1)
    [found] = await pool.fetch("SELECT key FROM writes WHERE 'first-try' IN (key, substr(key, 34))")
    owner = await pool.fetchval("SELECT left(encode(sha256('key billing'), 'hex'), 32)")
    assert found["key"] == f"{owner}:first-try"
