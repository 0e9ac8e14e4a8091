"""Soft deletion: everything a user may do ends, everything can be given back, and a crash half-way costs nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import HEADERS, URL, LocalWorkOS, Wire
from user_management.tests.web.conftest import Serve
from user_management.tests.web.test_sign_in import PASSWORD, rules, sessions

KEY = {"Idempotency-Key": "first-try"}


async def signed_in(local: LocalWorkOS, listener: Listener) -> dict[str, Any]:
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
async def ada(local: LocalWorkOS, listener: Listener) -> dict[str, Any]:
    """Ada, at WorkOS and in the copy."""
    return await signed_in(local, listener)


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
    ("soft-delete", "/users/{id}"), ("restore", "/users/{id}"),
])  # fmt: skip
async def test_what_workos_refuses_to_end_is_told(copied: LocalWorkOS, serve: Serve, what: str, path: str) -> None:
    """Nobody is called deleted, or restored, who is not; the same request, with its key, completes it once it may."""
    [ada] = (await copied.objects("users")).values()
    wire = Stubborn(copied.app)
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        if what == "restore":
            await ask(api, ada, "soft-delete")
        wire.path = path.format(**ada)
        problem = await ask(api, ada, what, 400, headers=KEY)
        assert ("directory" in problem["detail"], "Repeat the request" in problem["detail"]) == (True, True)
        wire.path = ""
        after = await ask(api, ada, what, headers=KEY)
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


class Entering(Wire):
    """A WorkOS at which somebody signs in just before a user is marked as deleted."""

    enter: Callable[[], Awaitable[object]]
    entered = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Its answer, and who came in before."""
        if request.method == "PUT" and "/users/" in request.url.path and not self.entered:
            self.entered = True
            await self.enter()
        return await super().handle_async_request(request)


async def test_who_comes_in_before_the_mark_is_gone_after_it(copied: LocalWorkOS, serve: Serve) -> None:
    """Nobody could refuse them yet; their session ends with the others."""
    [ada] = (await copied.objects("users")).values()
    wire = Entering(copied.app)
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        body = {"email": ada["email"], "password": PASSWORD}
        wire.enter = partial(api.post, "/api/auth/login", json=body)
        await ask(api, ada, "soft-delete")
    assert wire.entered
    assert await sessions(copied, ada) == []


@pytest.mark.parametrize("what", ["soft-delete", "restore"])
async def test_a_repeat_is_not_told_that_nothing_was_done(copied: LocalWorkOS, serve: Serve, what: str) -> None:
    """After an attempt that stopped half-way, a WorkOS that is away is no 503."""
    [ada] = (await copied.objects("users")).values()
    wire = Stubborn(copied.app)
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        if what == "restore":
            await ask(api, ada, "soft-delete")
        wire.path, wire.status = "activate", 500
        assert (await ask(api, ada, what, 504, headers=KEY))["detail"].count("Repeat the request") == 1
        await copied.misbehave({"500": 1.0})
        assert (await ask(api, ada, what, 504, headers=KEY))["outcome"] == "unknown"
    await copied.misbehave({})


class Thieving(Wire):
    """A WorkOS that takes so long to end a session that another request takes over the user."""

    pool: Pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Its answer, when it is too late."""
        if request.url.path.endswith("/sessions/revoke"):
            await self.pool.execute("UPDATE soft_deletions SET owner = 'thief'")
        return await super().handle_async_request(request)


async def test_who_was_taken_for_dead_marks_nobody(copied: LocalWorkOS, serve: Serve, pool: Pool) -> None:
    """Whoever took over may have restored the user: a mark that comes after it would be the last word."""
    [ada] = (await copied.objects("users")).values()
    wire = Thieving(copied.app)
    wire.pool = pool
    async with httpx.AsyncClient(transport=wire, base_url=URL, headers=HEADERS) as http, serve(http) as api:
        assert "taken over" in (await ask(api, ada, "soft-delete", 504))["detail"]
    [ada] = (await copied.objects("users")).values()
    assert "deleted_at" not in ada["metadata"]


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
