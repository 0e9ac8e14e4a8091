"""Soft deletion: everything a user may do ends, everything can be given back, and a crash half-way costs nothing."""

import asyncio
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import HEADERS, URL, LocalWorkOS, Wire
from user_management.tests.support.local_workos import KEY as KEY_OF_WORKOS
from user_management.tests.web.conftest import Serve, place
from user_management.tests.web.test_sign_in import PASSWORD, rules, sessions

KEY = {"Idempotency-Key": "first-try"}


@pytest.fixture
async def ada(local: LocalWorkOS, listener: Listener) -> dict[str, Any]:
    """Ada, who is signed in, and a member of three organizations, in one of which not any more."""
    await copies.begin(listener)
    user = await local.user(password=PASSWORD)
    await local.sign_in("ada@example.com", PASSWORD)
    await rules(local, require_organization=False)
    members = [await local.membership(user, await local.organization(name)) for name in ("A", "B", "C")]
    await local.call("PUT", f"/user_management/organization_memberships/{members[2]['id']}/deactivate")
    await copies.drain(listener)
    return user


@pytest.fixture
def copied(local: LocalWorkOS, ada: dict[str, Any]) -> LocalWorkOS:
    """A WorkOS with Ada, of whom the copy knows."""
    return local


async def statuses(local: LocalWorkOS) -> list[str]:
    """What each membership is at WorkOS, in the order they were made."""
    return [one["status"] for one in (await local.objects("organization_memberships")).values()]


async def ask(api: httpx.AsyncClient, user: dict[str, Any], what: str, status: int = 200, **more: Any) -> Any:
    """The user after a soft deletion or a restore."""
    answer = await api.post(f"/api/users/{user['id']}/{what}", **more)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_everything_ends_and_comes_back(api: httpx.AsyncClient, local: LocalWorkOS, ada: dict[str, Any]) -> None:
    """Exactly the memberships that were active; the user is marked, and still there."""
    deleted = await ask(api, ada, "soft-delete")
    assert deleted["metadata"]["deleted_at"]
    assert (await statuses(local), await sessions(local, ada)) == (["inactive"] * 3, [])
    assert (await api.get(f"/api/users/{ada['id']}")).json() == deleted
    restored = await ask(api, ada, "restore")
    assert restored["metadata"] == {}
    assert await statuses(local) == ["active", "active", "inactive"]


async def test_the_copy_shows_it_at_once(api: httpx.AsyncClient, ada: dict[str, Any]) -> None:
    """Memberships too, before any event has come."""
    await ask(api, ada, "soft-delete")
    listed = await api.get(
        "/api/organization_memberships", params={"user_id": ada["id"], "statuses": "active,inactive"}
    )
    assert [one["status"] for one in listed.json()["data"]] == ["inactive"] * 3


async def test_twice_is_once(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any]) -> None:
    """The mark keeps its time; what was restored is not restored again."""
    first = await api.post("/api/users/soft_delete", json={"user_id": ada["id"]})
    second = await ask(api, ada, "soft-delete")
    assert first.json() == second
    await ask(api, ada, "restore")
    [one, *_] = await local.objects("organization_memberships")
    await local.call("PUT", f"/user_management/organization_memberships/{one}/deactivate")
    await ask(api, ada, "restore")
    assert await statuses(local) == ["inactive", "active", "inactive"]
    assert await pool.fetchval("SELECT count(*) FROM soft_deletions") == 0


@pytest.mark.parametrize("word", ["nobody", "user_nobody"])
async def test_nobody(api: httpx.AsyncClient, pool: Pool, word: str) -> None:
    """A user whom WorkOS does not know is not deleted, nor restored, and nothing is kept of them."""
    await ask(api, {"id": word}, "soft-delete", 404)
    await ask(api, {"id": word}, "restore", 404)
    assert await pool.fetchval("SELECT count(*) FROM soft_deletions") == 0


class Stubborn(Wire):
    """WorkOS, which refuses to end what a directory manages."""

    path, status = "", 400

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Its answer, or the refusal."""
        if self.path and request.method != "GET" and request.url.path.endswith(self.path):
            return httpx.Response(self.status, json={"message": "Managed by a directory."}, request=request)
        return await super().handle_async_request(request)


@pytest.mark.parametrize(("what", "path"), [
    ("soft-delete", "/deactivate"), ("soft-delete", "/sessions/revoke"), ("restore", "/reactivate"),
])  # fmt: skip
async def test_what_workos_refuses_to_end_is_told(copied: LocalWorkOS, serve: Serve, what: str, path: str) -> None:
    """Nobody is called deleted, or restored, who is not; the same request completes it once WorkOS lets it."""
    [ada] = (await copied.objects("users")).values()
    wire = Stubborn(copied.app)
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        if what == "restore":
            await ask(api, ada, "soft-delete")
        wire.path = path
        assert "directory" in (await ask(api, ada, what, 400))["detail"]
        wire.path = ""
        after = await ask(api, ada, what)
    expected = ["inactive"] * 3 if what == "soft-delete" else ["active", "active", "inactive"]
    assert (await statuses(copied), "deleted_at" in after["metadata"]) == (expected, what == "soft-delete")
    assert await sessions(copied, ada) == []


class Cut(Wire):
    """A network that breaks at the nth change, before or after WorkOS has done it."""

    def __init__(self, app: Any, cut: tuple[int, bool]) -> None:
        super().__init__(app)
        self.left, self.done = cut

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """WorkOS's answer, until it breaks."""
        self.left -= request.method != "GET"
        if self.left == 0 and request.method != "GET":
            if self.done:
                await super().handle_async_request(request)
            raise asyncio.CancelledError
        return await super().handle_async_request(request)


@pytest.mark.parametrize("cut", [(at, done) for at in (1, 2, 3, 4) for done in (False, True)])
@pytest.mark.parametrize("what", ["soft-delete", "restore"])
async def test_killed_half_way_then_repeated(
    copied: LocalWorkOS, serve: Serve, pool: Pool, what: str, cut: tuple[int, bool]
) -> None:
    """Wherever it was killed, whoever repeats it ends where an undisturbed one does."""
    [ada] = (await copied.objects("users")).values()
    wire = Cut(copied.app, cut)
    async with (
        httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http,
        serve(copied.http) as api,
        serve(http) as dying,
    ):
        if what == "restore":
            await ask(api, ada, "soft-delete")
        killed = asyncio.create_task(dying.post(f"/api/users/{ada['id']}/{what}", headers=KEY))
        await asyncio.wait({killed})
        assert killed.cancelled() or wire.left > 0
        await pool.execute("UPDATE soft_deletions SET leased_until = now()")
        await pool.execute("UPDATE writes SET leased_until = now()")
        after = await ask(api, ada, what, headers=KEY)
    expected = ["inactive"] * 3 if what == "soft-delete" else ["active", "active", "inactive"]
    assert (await statuses(copied), "deleted_at" in after["metadata"]) == (expected, what == "soft-delete")
    assert await sessions(copied, ada) == []


async def test_what_stops_half_way_is_told(api: httpx.AsyncClient, local: LocalWorkOS, ada: dict[str, Any]) -> None:
    """A 504 that says to repeat it; the repeat completes it."""
    await local.misbehave({"500": 1.0}, paths="/user_management/sessions/revoke")
    problem = await ask(api, ada, "soft-delete", 504)
    assert (problem["outcome"], "Repeat the request" in problem["detail"]) == ("unknown", True)
    await local.misbehave({})
    await ask(api, ada, "soft-delete")
    assert (await statuses(local), await sessions(local, ada)) == (["inactive"] * 3, [])


FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'gone' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON soft_deletions FOR EACH ROW
WHEN (OLD.owner = NEW.owner AND NEW.leased_until > now() AND OLD.memberships <> '{{}}') EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize("code", ["57P01", "XX000"])
@pytest.mark.parametrize("what", ["soft-delete", "restore"])
async def test_a_database_that_goes_away_half_way(
    api: httpx.AsyncClient, copied: LocalWorkOS, pool: Pool, what: str, code: str
) -> None:
    """After the first membership: a 504 that says to repeat it, however the database fails; the repeat completes it."""
    [ada] = (await copied.objects("users")).values()
    if what == "restore":
        await ask(api, ada, "soft-delete")
    await pool.execute(FAIL.format(code))
    problem = await ask(api, ada, what, 504)
    assert ("Repeat the request" in problem["detail"], "gone" in problem["detail"]) == (True, False)
    assert (await statuses(copied)).count("inactive") == 2
    await pool.execute("DROP TRIGGER fail ON soft_deletions")
    await ask(api, ada, what)
    assert (await statuses(copied)).count("inactive") == (3 if what == "soft-delete" else 1)


@pytest.mark.parametrize("what", ["soft-delete", "restore"])
async def test_a_mark_that_workos_cannot_be_asked_for(copied: LocalWorkOS, serve: Serve, what: str) -> None:
    """When all but the mark is done, nobody is told that nothing was."""
    [ada] = (await copied.objects("users")).values()
    wire = Stubborn(copied.app)
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        if what == "restore":
            await ask(api, ada, "soft-delete")
        wire.path, wire.status = f"/users/{ada['id']}", 429
        problem = await ask(api, ada, what, 504)
    assert ("Repeat the request" in problem["detail"], problem["outcome"]) == (True, "unknown")
    assert (await statuses(copied)).count("inactive") == (3 if what == "soft-delete" else 1)


async def test_one_at_a_time(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any]) -> None:
    """Who restores while another deletes is told to wait, and nothing is mixed up."""
    await ask(api, ada, "soft-delete")
    await pool.execute("UPDATE soft_deletions SET leased_until = now() + interval '1 minute'")
    problem = await ask(api, ada, "restore", 409)
    assert problem["type"] == "/api/problems/at-work"
    assert await statuses(local) == ["inactive"] * 3


async def test_who_was_taken_for_dead_stops(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, ada: dict[str, Any]
) -> None:
    """Whoever lost the user to another request says so, and leaves the rest to it."""
    thief = (
        "CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner := 'thief'; RETURN NEW; END $$"
    )
    await pool.execute(thief)
    await pool.execute("CREATE TRIGGER steal BEFORE INSERT ON soft_deletions FOR EACH ROW EXECUTE FUNCTION steal()")
    problem = await ask(api, ada, "soft-delete", 504)
    assert "taken over" in problem["detail"]
    assert await statuses(local) == ["active", "active", "inactive"]


async def enter(api: httpx.AsyncClient, body: dict[str, Any], path: str = "login") -> tuple[int, str | None]:
    """How a sign-in ends: its status, and its problem if it has one."""
    answer = await api.post(f"/api/auth/{path}", json=body)
    return answer.status_code, answer.json().get("type")


REFUSED = (403, "/api/problems/soft-deleted")


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
