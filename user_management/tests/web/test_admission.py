"""Who is soft deleted does not come in, whatever the copy knows, and nobody else is kept out."""

from typing import Any

import httpx
import pytest

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support.local_workos import KEY as KEY_OF_WORKOS
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import place
from user_management.tests.web.test_sign_in import PASSWORD, sessions
from user_management.tests.web.test_soft_deletion import ask, signed_in

REFUSED = (403, "/api/problems/soft-deleted")


@pytest.fixture
async def ada(local: LocalWorkOS, listener: Listener) -> dict[str, Any]:
    """Ada, at WorkOS and in the copy."""
    return await signed_in(local, listener)


async def enter(api: httpx.AsyncClient, body: dict[str, Any], path: str = "login") -> tuple[int, str | None]:
    """How a sign-in ends: its status, and its problem if it has one."""
    answer = await api.post(f"/api/auth/{path}", json=body)
    return answer.status_code, answer.json().get("type")


async def test_whoever_is_deleted_does_not_come_in(
    api: httpx.AsyncClient, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """By no grant, and no session of it stays; who gives a wrong password does not learn of it; restored, they may."""
    await ask(api, ada, "soft-delete")
    code = (await api.post("/api/auth/magic-code", json={"email": ada["email"]})).json()["code"]
    by_password = {"email": ada["email"], "password": PASSWORD}
    assert await enter(api, by_password) == REFUSED
    assert await enter(api, {"grant_type": "magic_code", "email": ada["email"], "code": code}) == REFUSED
    assert await enter(api, by_password | {"password": "a wrong guess"}) == (400, "/api/problems/refused")
    assert await sessions(local, ada) == []
    await ask(api, ada, "restore")
    assert await enter(api, by_password) == (200, None)


async def test_a_session_from_elsewhere_does_not_go_on(
    api: httpx.AsyncClient, local: LocalWorkOS, ada: dict[str, Any]
) -> None:
    """Whoever signed in at WorkOS itself, after the deletion, gets no fresh tokens from us."""
    await ask(api, ada, "soft-delete")
    credentials = {"client_id": "client_sandbox", "client_secret": KEY_OF_WORKOS, "grant_type": "password"}
    body = credentials | {"email": ada["email"], "password": PASSWORD}
    token = (await local.call("POST", "/user_management/authenticate", body))["refresh_token"]
    assert await enter(api, {"refresh_token": token}, "refresh") == REFUSED
    assert await sessions(local, ada) == []


async def test_a_refused_sign_in_is_refused_again(api: httpx.AsyncClient, pool: Pool, ada: dict[str, Any]) -> None:
    """Under the same key too, of which nothing is kept; once restored, the same request lets them in."""
    await ask(api, ada, "soft-delete")
    body, key = {"email": ada["email"], "password": PASSWORD}, {"Idempotency-Key": "sign-in"}
    refused = [await api.post("/api/auth/login", json=body, headers=key) for _ in range(2)]
    assert [(one.status_code, "token" in one.text) for one in refused] == [(403, False)] * 2
    assert await pool.fetchval("SELECT count(*) FROM writes") == 0
    await ask(api, ada, "restore")
    assert (await api.post("/api/auth/login", json=body, headers=key)).status_code == 200


@pytest.mark.parametrize("change", [
    "DELETE FROM users", "UPDATE cursor SET ready_at = NULL", "UPDATE cursor SET drained_at = now() - interval '1 hour'"
])  # fmt: skip
async def test_a_copy_that_may_not_know_lets_nobody_in(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any], change: str
) -> None:
    """A mark that only WorkOS has counts: before the user is in the copy, before all are, and while it is behind."""
    await place(pool, drained=0)
    await pool.execute(change)
    await local.call("PUT", f"/user_management/users/{ada['id']}", {"metadata": {"deleted_at": "2026-01-01"}})
    before = await sessions(local, ada)
    assert await enter(api, {"email": ada["email"], "password": PASSWORD}) == REFUSED
    assert await sessions(local, ada) == before


async def test_a_live_copy_is_believed(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any]
) -> None:
    """Of a user whom it knows WorkOS is not asked."""
    await place(pool, drained=0)
    await local.misbehave({"500": 1.0}, paths=f"/user_management/users/{ada['id']}")
    assert await enter(api, {"email": ada["email"], "password": PASSWORD}) == (200, None)
    assert await local.injected() == 0


async def test_without_the_copy_workos_is_asked(api: httpx.AsyncClient, pool: Pool, ada: dict[str, Any]) -> None:
    """Nobody is let in because the database fails, and nobody is kept out."""
    body = {"email": ada["email"], "password": PASSWORD}
    await pool.execute("ALTER TABLE users RENAME TO lost")
    assert await enter(api, body) == (200, None)
    await pool.execute("ALTER TABLE lost RENAME TO users")
    await ask(api, ada, "soft-delete")
    await pool.execute("ALTER TABLE users RENAME TO lost")
    assert await enter(api, body) == REFUSED


async def test_who_can_be_judged_by_nobody_is_in_doubt(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any]
) -> None:
    """WorkOS signed them in, then neither it nor the copy tells of them: a 504, also for a repeat, and no session."""
    body, key = {"email": ada["email"], "password": PASSWORD}, {"Idempotency-Key": "sign-in"}
    before = await sessions(local, ada)
    await pool.execute("ALTER TABLE users RENAME TO lost")
    await local.misbehave({"500": 1.0}, paths=f"/user_management/users/{ada['id']}")
    answers = [await api.post("/api/auth/login", json=body, headers=key) for _ in range(2)]
    await local.misbehave({})
    assert [(one.status_code, one.json()["outcome"], "token" in one.json()) for one in answers] == [
        (504, "unknown", False)
    ] * 2
    assert await sessions(local, ada) == before
