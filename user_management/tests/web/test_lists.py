import httpx
import pytest

from user_management.db.session import Pool
from user_management.tests.web.conftest import Tell, fields, ids


async def walk(api: httpx.AsyncClient, path: str, way: str = "after", **query: str | int) -> list[str]:
    """The ids of all pages from one end of a list to the other."""
    found: list[str] = []
    while True:
        answer = await api.get(path, params=query)
        page = ids(answer)
        found = found + page if way == "after" else page + found
        cursor = answer.json()["list_metadata"][way]
        if cursor is None:
            return found
        query[way] = cursor


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10])
async def test_pages_are_complete_and_in_order(api: httpx.AsyncClient, tell: Tell, order: str, limit: int) -> None:
    """Every object is on one page, in order, also where two were created at the same instant."""
    expected = sorted((user["id"] for user in await tell("users", 7)), reverse=order == "desc")
    assert await walk(api, "/api/users", limit=limit, order=order) == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_backwards_are_the_same(api: httpx.AsyncClient, tell: Tell, order: str, limit: int) -> None:
    """Going back from the last object shows every one before it, in the list's own order."""
    expected = sorted((user["id"] for user in await tell("users", 7)), reverse=order == "desc")
    back = await walk(api, "/api/users", "before", limit=limit, order=order, before=expected[-1])
    assert back == expected[:-1]


async def test_the_ends_of_a_list_are_null(api: httpx.AsyncClient, tell: Tell) -> None:
    """A page names its neighbours only where there are some."""
    await tell("users", 3)
    first = (await api.get("/api/users", params={"limit": 2})).json()["list_metadata"]
    assert first == {"before": None, "after": "user_0001"}
    last = (await api.get("/api/users", params={"limit": 2, "after": "user_0001"})).json()["list_metadata"]
    assert last == {"before": "user_0000", "after": None}


async def test_pages_are_disjoint_while_objects_come_and_go(api: httpx.AsyncClient, tell: Tell) -> None:
    """A page after a cursor that was deleted meanwhile goes on where it stood."""
    await tell("users", 6)
    first = ids(await api.get("/api/users", params={"limit": 3}))
    await tell("users", 4, what="deleted")
    rest = await api.get("/api/users", params={"limit": 3, "after": first[-1]})
    assert (first, ids(rest)) == (["user_0005", "user_0004", "user_0003"], [])


async def test_objects_are_served_as_workos_words_them(api: httpx.AsyncClient, tell: Tell) -> None:
    """What WorkOS said is what is served, in a list and by id alike."""
    [user] = await tell("users")
    assert (await api.get("/api/users")).json()["data"] == [user]
    assert (await api.get(f"/api/users/{user['id']}")).json() == user
    assert (await api.get("/api/users/external_id/customer%2F0")).json() == user


async def test_a_membership_embeds_what_is_true_today(api: httpx.AsyncClient, tell: Tell) -> None:
    """A membership shows its user and its organization's name as they are now, once they are known."""
    await tell("organization_memberships")
    alone = (await api.get("/api/organization_memberships")).json()["data"][0]
    assert not {"user", "organization_name"} & alone.keys()
    [user], [organization] = await tell("users"), await tell("organizations")
    whole = (await api.get(f"/api/organization_memberships/{alone['id']}")).json()
    assert whole == {**alone, "user": user, "organization_name": organization["name"]}


async def test_users_are_filtered(api: httpx.AsyncClient, tell: Tell) -> None:
    """Users are found by e-mail in any case, and by the organization they belong to."""
    await tell("users", 4)
    await tell("organization_memberships", 2, user_id="user_000{}")
    assert ids(await api.get("/api/users", params={"email": "USER2@Example.com"})) == ["user_0002"]
    members = await walk(api, "/api/users", limit=1, organization_id="organization_0000")
    assert members == ["user_0001", "user_0000"]


async def test_memberships_are_filtered(api: httpx.AsyncClient, tell: Tell) -> None:
    """Memberships are active ones unless told otherwise; several statuses may be given in either way."""
    await tell("organization_memberships", 3)
    await tell("organization_memberships", 2, what="updated", status="pending")
    path = "/api/organization_memberships"
    assert ids(await api.get(path)) == ["organization_membership_0002"]
    assert len(ids(await api.get(path, params={"statuses": "active,pending"}))) == 3
    assert len(ids(await api.get(path, params={"statuses": ["pending", "active"]}))) == 3
    assert ids(await api.get(path, params={"user_id": "user_9"})) == []
    assert len(ids(await api.get(path, params={"organization_id": "organization_0000", "user_id": "user_0000"}))) == 1


async def test_deleted_objects_are_shown_when_asked_for(api: httpx.AsyncClient, tell: Tell) -> None:
    """A deleted object is neither listed nor found, unless it is asked for; then it says when it was deleted."""
    await tell("users", 3)
    [gone] = await tell("users", what="deleted")
    assert ids(await api.get("/api/users")) == ["user_0002", "user_0001"]
    shown = (await api.get("/api/users", params={"include_deleted": "true"})).json()["data"]
    assert [one.get("deleted_at") for one in shown] == [None, None, gone["created_at"]]


async def test_a_deleted_object_is_a_404_that_says_when(api: httpx.AsyncClient, tell: Tell) -> None:
    """Asking for a deleted object by id tells when it was deleted, and on request its last words."""
    await tell("users")
    [gone] = await tell("users", what="deleted")
    for path in ("/api/users/user_0000", "/api/users/external_id/customer%2F0"):
        refused = await api.get(path)
        assert (refused.status_code, refused.json()["deleted_at"]) == (404, gone["created_at"])
        found = await api.get(path, params={"include_deleted": "true"})
        assert found.json() == {**gone, "deleted_at": gone["created_at"]}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=ten", "limit"), ("order=up", "order"),
        ("after=user_none", "after"), ("before=user_none", "before"), ("after=user_0&before=user_0", "before"),
        ("emial=a", "emial"), ("email=", "email"), ("email=%00", "email"), ("after=%00", "after"),
        (f"email={'a' * 501}", "email"), ("include_deleted=perhaps", "include_deleted"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(api: httpx.AsyncClient, query: str, field: str) -> None:
    """A parameter that cannot be served, or is not known, is refused by its name."""
    answer = await api.get(f"/api/users?{query}")
    assert (answer.status_code, fields(answer)) == (422, [field])


@pytest.mark.parametrize("statuses", ["bogus", "active,bogus", "active&statuses=bogus", ""])
async def test_a_wrong_status_is_named(api: httpx.AsyncClient, statuses: str) -> None:
    """A status that does not exist is refused rather than ignored."""
    answer = await api.get(f"/api/organization_memberships?statuses={statuses}")
    assert (answer.status_code, fields(answer)) == (422, ["statuses"])


@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "a" * 5000, "%F0%9F%92%A9", "'", "%25", "..%2F"])
async def test_odd_ids_are_not_found(api: httpx.AsyncClient, value: str) -> None:
    """No id, however odd, is an error of ours."""
    for path in (f"/api/users/{value}", f"/api/users/external_id/{value}"):
        assert (await api.get(path)).status_code == 404
    assert (await api.get(f"/api/users?email={value}")).status_code in {200, 422}


async def test_memory_of_deleted_parents_is_not_embedded(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """A membership that ended with its user shows no user any more."""
    await tell("users")
    await tell("organization_memberships")
    await tell("users", what="deleted")
    query = {"include_deleted": "true"}
    [ended] = (await api.get("/api/organization_memberships", params=query)).json()["data"]
    assert ("user" in ended, "deleted_at" in ended) == (False, True)
