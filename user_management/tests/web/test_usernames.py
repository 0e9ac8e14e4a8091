"""Usernames over HTTP: a rule WorkOS does not have, held before WorkOS is asked."""

import asyncio
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, fields
from user_management.tests.web.test_writes import USER

KEY = {"Idempotency-Key": "first-try"}


def named(name: Any, email: str = "ada@example.com") -> dict[str, Any]:
    """A user to be, of this username."""
    return {"email": email, "metadata": {"username": name, "team": "engines"}}


async def create(api: httpx.AsyncClient, name: str, email: str = "ada@example.com", status: int = 201) -> Any:
    """A user of this username, or the problem that it cannot have it."""
    answer = await api.post("/api/users", json=named(name, email))
    assert answer.status_code == status, answer.text
    return answer.json()


async def writes(local: LocalWorkOS) -> int:
    """How many writes WorkOS was asked for and did."""
    return len((await local.call("GET", "/_sandbox/writes"))["data"])


async def reserved(pool: Pool) -> list[str]:
    """The names that are reserved."""
    return [row["name"] for row in await pool.fetch("SELECT name FROM usernames")]


@pytest.mark.parametrize("name", ["ab", "a" * 65, "ada lovelace", "ada@example.com", "adä", "", 7, ["ada"], "a\nb"])
async def test_what_cannot_be_a_username(api: httpx.AsyncClient, local: LocalWorkOS, name: Any) -> None:
    """The field is named, and nothing is done."""
    user = await local.user()
    answers = [
        await api.post("/api/users", json=named(name)),
        await api.put(f"/api/users/{user['id']}", json=named(name)),
        await api.put(f"/api/users/{user['id']}/username", json={"username": name}),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert [fields(answer) for answer in answers] == [["metadata.username"], ["metadata.username"], ["username"]]
    assert await writes(local) == 1


async def test_one_name_one_user(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """The next one is told so before WorkOS is asked, upper or lower case."""
    user = await create(api, "Ada")
    assert user["metadata"] == {"username": "Ada", "team": "engines"}
    problem = await create(api, "aDa", "grace@example.com", 409)
    assert problem["type"] == "/api/problems/username-taken"
    assert problem["errors"] == [{"field": "metadata.username", "code": "username_taken"}]
    assert (await writes(local), await reserved(pool)) == (1, [])


async def test_of_two_who_ask_at_once_one_gets_it(serve: Serve, local: LocalWorkOS, pool: Pool) -> None:
    """Whichever process they ask; the others' requests never reach WorkOS."""
    async with serve(local.http) as one, serve(local.http) as two:
        asked = ((one, two)[n % 2].post("/api/users", json=named("ada", f"u{n}@example.com")) for n in range(8))
        answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    assert (await writes(local), await reserved(pool)) == (1, [])


async def test_a_rename_frees_the_old_name(api: httpx.AsyncClient) -> None:
    """And its owner may write it otherwise, or take it away."""
    user = await create(api, "ada")
    for name in ("ADA", "countess", None):
        answer = await api.put(f"/api/users/{user['id']}/username", json={"username": name})
        assert (answer.status_code, answer.json()["metadata"].get("username")) == (200, name)
    await create(api, "ada", "grace@example.com")
    await create(api, "countess", "mary@example.com")


async def test_a_delete_frees_the_name(api: httpx.AsyncClient) -> None:
    """At once, for the copy knows of it."""
    user = await create(api, "ada")
    await api.delete(f"/api/users/{user['id']}")
    await create(api, "ada")


async def test_a_name_set_at_workos_is_taken(
    api: httpx.AsyncClient, local: LocalWorkOS, listener: Listener, pool: Pool
) -> None:
    """As soon as the copy has heard of it."""
    await copies.begin(listener)
    await local.user("grace@example.com", metadata={"username": "Grace"})
    await copies.drain(listener)
    await create(api, "grace", status=409)


async def test_a_refusal_frees_the_name(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """WorkOS would not have the address; somebody else may have the name."""
    await local.user()
    await create(api, "ada", status=400)
    assert await reserved(pool) == []
    await create(api, "ada", "grace@example.com")


async def test_what_never_reached_workos_frees_the_name(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """Nothing was done."""
    remote.post("/user_management/users").mock(side_effect=httpx.ConnectError("away"))
    await create(afar, "ada", status=503)
    assert await reserved(pool) == []


async def test_a_doubt_keeps_the_name(afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool) -> None:
    """Until it is known what came of the write, nobody else gets it; whoever repeats the request does."""
    route = remote.post("/user_management/users").respond(500)
    first = await afar.post("/api/users", json=named("ada"), headers=KEY)
    assert (first.status_code, await reserved(pool)) == (504, ["ada"])
    await create(afar, "ada", "grace@example.com", 409)
    route.respond(201, json=USER | {"metadata": {"username": "ada"}})
    second = await afar.post("/api/users", json=named("ada"), headers=KEY)
    assert (second.status_code, await reserved(pool), route.call_count) == (201, [], 2)


async def test_a_taken_name_leaves_the_key_free(api: httpx.AsyncClient) -> None:
    """Nothing was done, so another name may be asked for under the same key."""
    await create(api, "ada")
    taken = await api.post("/api/users", json=named("ada", "grace@example.com"), headers=KEY)
    other = await api.post("/api/users", json=named("grace", "grace@example.com"), headers=KEY)
    assert (taken.status_code, other.status_code) == (409, 201)


async def test_other_metadata_needs_no_name(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """Whatever is not the username is WorkOS's to judge."""
    user = await local.user()
    for metadata in ({"team": "engines"}, {}, {"username": None}, None):
        answer = await api.put(f"/api/users/{user['id']}", json={"metadata": metadata})
        assert answer.status_code == 200, answer.text
