"""What WorkOS's own paths answer from the copy, and where they let WorkOS answer."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from user_management.db.session import Pool
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, place
from user_management.tests.web.workos.conftest import Follow, served, source

USERS, ORGANIZATIONS = "/user_management/users", "/organizations"
MEMBERSHIPS = "/user_management/organization_memberships"


async def both(root: httpx.AsyncClient, local: LocalWorkOS, path: str, **query: Any) -> httpx.Response:
    """Our answer, after it was found equal to WorkOS's own."""
    ours, theirs = await root.get(path, params=query), await local.http.get(path, params=query)
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
    return ours


async def crowd(local: LocalWorkOS, count: int = 13) -> list[dict[str, Any]]:
    """Some users."""
    return [await local.user(f"user{number}@example.com", external_id=f"id/{number}") for number in range(count)]


QUERIES: list[dict[str, Any]] = [
    {}, {"limit": 1}, {"limit": 100}, {"order": "asc"}, {"order": "asc", "limit": 3},
    {"email": "user3@example.com"}, {"email": "nobody@example.com"},
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_lists_are_workos_s_own(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow, query: dict[str, Any]
) -> None:
    """Ten at once, newest first, and whatever else WorkOS does."""
    await crowd(local)
    await follow()
    answer = await both(root, local, USERS, **query)
    assert (source(answer), answer.headers["Replica-State"]) == ("copy", "live")


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_lead_on_and_back(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow, order: str) -> None:
    """The cursors of each page are WorkOS's, and null at both ends."""
    await crowd(local)
    await follow()
    here: dict[str, Any] = {"order": order, "limit": 5}
    pages = [await both(root, local, USERS, **here)]
    while after := pages[-1].json()["list_metadata"]["after"]:
        pages.append(await both(root, local, USERS, **here, after=after))
    back = await both(root, local, USERS, **here, before=pages[1].json()["list_metadata"]["before"])
    assert back.json()["data"] == pages[0].json()["data"]
    assert [len(page.json()["data"]) for page in pages] == [5, 5, 3]
    assert {source(page) for page in (*pages, back)} == {"copy"}


async def test_one_object(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow) -> None:
    """By its id, by its owner's own id, and WorkOS's words where there is none."""
    user = (await crowd(local, 2))[1]
    await follow()
    paths = [f"{USERS}/{user['id']}", f"{USERS}/external_id/id%2F1", f"{USERS}/user_01NOBODY",
             f"{USERS}/external_id/nobody", f"{ORGANIZATIONS}/org_01NONE", f"{MEMBERSHIPS}/om_01NONE"]  # fmt: skip
    answers = [await both(root, local, path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 404, 404]
    assert {source(answer) for answer in answers} == {"copy"}


async def test_memberships(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow) -> None:
    """Active ones unless asked for others; with their user and their organization's name."""
    user, organization = await local.user(), await local.organization()
    membership = await local.membership(user, organization)
    other = await local.membership(await local.user("grace@example.com"), organization)
    await local.call("PUT", f"{MEMBERSHIPS}/{other['id']}/deactivate")
    await follow()
    await root.get(f"{ORGANIZATIONS}/{organization['id']}")  # an event alone does not tell all of an organization
    queries: list[dict[str, Any]] = [
        {"organization_id": organization["id"]}, {"user_id": user["id"]},
        {"organization_id": organization["id"], "statuses": "active,inactive"},
        {"organization_id": organization["id"], "statuses[]": "inactive"},
    ]  # fmt: skip
    answers = [await both(root, local, MEMBERSHIPS, **query) for query in queries]
    assert [len(answer.json()["data"]) for answer in answers] == [1, 1, 2, 1]
    answers += [await both(root, local, f"{MEMBERSHIPS}/{membership['id']}")]
    answers += [await both(root, local, USERS, organization_id=organization["id"])]
    assert {source(answer) for answer in answers} == {"copy"}


async def test_what_only_workos_knows_of_an_organization_is_asked_once(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow
) -> None:
    """Events leave a key out: the first read goes through and fills it in, the second is the copy's."""
    organization = await local.organization()
    await follow()
    first = await both(root, local, f"{ORGANIZATIONS}/{organization['id']}")
    second = await both(root, local, f"{ORGANIZATIONS}/{organization['id']}")
    third = await both(root, local, ORGANIZATIONS)
    assert [source(answer) for answer in (first, second, third)] == ["workos", "copy", "copy"]


async def test_an_old_setting_stands_beside_no_new_name(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow
) -> None:
    """What no event tells is unknown once an event tells of a newer organization; WorkOS is asked once for each."""
    path = f"{ORGANIZATIONS}/{(await local.organization())['id']}"
    await follow()
    answers = [await both(root, local, path)]
    await local.call("PUT", path, {"name": "Analytical Engines", "allow_profiles_outside_organization": True})
    await follow()
    assert "allow_profiles_outside_organization" not in (await root.get(f"/api{path}")).json()
    answers += [await both(root, local, ORGANIZATIONS), await both(root, local, path)]
    assert [source(answer) for answer in answers] == ["workos", "workos", "copy"]
    assert (await root.get(f"/api{path}")).json()["allow_profiles_outside_organization"] is True


async def test_what_a_reply_told_outlives_its_own_event(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow
) -> None:
    """The event of a write is as old as the reply, and so about the same organization."""
    path = f"{ORGANIZATIONS}/{(await local.organization())['id']}"
    await follow()
    await root.put(path, json={"name": "Analytical Engines", "allow_profiles_outside_organization": True})
    await follow()
    assert source(await both(root, local, path)) == "copy"


DOUBTFUL: list[tuple[str, dict[str, Any]]] = [
    (USERS, {"limit": 0}), (USERS, {"limit": "ten"}), (USERS, {"limit": 101}), (USERS, {"order": "normal"}),
    (USERS, {"order": "up"}), (USERS, {"after": "user_1", "before": "user_2"}), (USERS, {"after": "user_1"}),
    (USERS, {"email": "User3@example.com"}), (USERS, {"color": "red"}), (USERS, {"organization_id": "org_none"}),
    (USERS, {"include_deleted": "true"}), (ORGANIZATIONS, {"search": "a"}), (MEMBERSHIPS, {}),
    (MEMBERSHIPS, {"user_id": "user_none"}), (f"{USERS}/user_1", {"expand": "x"}),
    (USERS, {"limit[]": 5}), (USERS, {"order[]": "asc"}), (USERS, {"email[]": "user3@example.com"}),
    (f"{USERS}/user_1/sessions", {}), ("/authorization/nothing", {}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query"), DOUBTFUL, ids=str)
async def test_in_doubt_workos_answers(
    root: httpx.AsyncClient, local: LocalWorkOS, path: str, query: dict[str, Any]
) -> None:
    """What WorkOS refuses, what it may read otherwise, and what we do not know, it is asked itself."""
    await local.user("user3@example.com")
    assert source(await both(root, local, path, **query)) == "workos"


async def test_a_place_that_was_deleted_is_for_workos_to_judge(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow
) -> None:
    """A cursor whose object is gone leads nowhere that is documented."""
    user = (await crowd(local, 3))[1]
    await local.call("DELETE", f"{USERS}/{user['id']}")
    await follow()
    assert source(await both(root, local, USERS, after=user["id"])) == "workos"


@pytest.mark.parametrize("told", ["no-cache", "max-age=0, no-cache", "No-Cache"])
async def test_who_wants_no_copy_gets_none(root: httpx.AsyncClient, local: LocalWorkOS, told: str) -> None:
    """`Cache-Control: no-cache` is answered by WorkOS, and the copy learns from it."""
    user = await local.user()
    fresh = await root.get(f"{USERS}/{user['id']}", headers={"Cache-Control": told})
    again = await root.get(f"{USERS}/{user['id']}", headers={"Cache-Control": "max-age=60"})
    assert [source(one) for one in (fresh, again)] == ["workos", "copy"]
    assert fresh.json() == again.json() == user


@pytest.mark.parametrize(("age", "where"), [(40.0, "copy"), (90.0, "workos")])
async def test_an_old_copy_does_not_answer(
    serve: Serve, local: LocalWorkOS, pool: Pool, age: float, where: str
) -> None:
    """Up to its greatest age the copy stands in for WorkOS; beyond, WorkOS is asked."""
    await place(pool, drained=age)
    async with served(serve, local, max_staleness=60.0) as client:
        assert source(await client.get(USERS)) == where


async def test_a_copy_that_is_not_complete_does_not_answer(serve: Serve, local: LocalWorkOS, pool: Pool) -> None:
    """Before the first backfill is through, all is WorkOS's to answer."""
    await place(pool, drained=1, ready=False)
    async with served(serve, local) as client:
        assert source(await client.get(f"{USERS}/user_1")) == "workos"


async def test_roles_stand_in_the_order_that_workos_last_told(root: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """No event tells their priority: WorkOS is asked for it once in a while, and again when a role is new."""
    path = "/authorization/roles"
    answers = [await both(root, local, path), await both(root, local, path)]
    made = {"slug": "auditor", "name": "Auditor", "resource_type_slug": "organization"}
    assert (await root.post(path, json=made)).status_code == 201
    answers += [
        await both(root, local, path),
        await both(root, local, path),
        await both(root, local, f"{path}/auditor"),
    ]
    assert [source(answer) for answer in answers] == ["workos", "copy", "workos", "copy", "copy"]


async def test_the_order_of_roles_is_not_believed_for_long(serve: Serve, local: LocalWorkOS, follow: Follow) -> None:
    """It may be as old as the copy."""
    async with served(serve, local, max_staleness=60.0) as client:
        await client.get("/authorization/roles")
        orders = client._transport.app.state.backend.orders  # type: ignore[attr-defined]  # our own app
        (path,) = orders
        orders[path] = replace(orders[path], at=orders[path].at - 61)
        assert source(await client.get("/authorization/roles")) == "workos"


async def test_the_order_of_roles_is_not_believed_once_another_process_changed_one(
    serve: Serve, local: LocalWorkOS, follow: Follow
) -> None:
    """What a write forgets in its own process, the others find out by the copy."""
    path = "/authorization/roles"
    await local.call("POST", path, {"slug": "auditor", "name": "Auditor"})
    await follow()
    async with served(serve, local) as one, served(serve, local) as other:
        answers = [await one.get(path), await one.get(path)]
        assert (await other.patch(f"{path}/auditor", json={"name": "Examiner"})).status_code == 200
        answers.append(await one.get(path))
    assert [source(answer) for answer in answers] == ["workos", "copy", "workos"]


async def test_the_other_families(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow) -> None:
    """Groups of an organization, permissions, flags: theirs is the copy's to tell, once it is complete."""
    organization = await local.organization()
    groups = f"{ORGANIZATIONS}/{organization['id']}/groups"
    group = await local.call("POST", groups, {"name": "Engineers"})
    await local.call("POST", "/authorization/permissions", {"slug": "engines:see", "name": "See engines"})
    await follow()
    paths = [groups, f"{groups}/{group['id']}", "/authorization/permissions", "/authorization/permissions/engines:see",
             "/feature-flags"]  # fmt: skip
    answers = [await both(root, local, path) for path in paths]
    assert [(path, source(answer)) for path, answer in zip(paths, answers, strict=True)] == [
        (path, "copy") for path in paths
    ]  # fmt: skip
    elsewhere = await both(root, local, f"{ORGANIZATIONS}/org_01NONE/groups/{group['id']}")
    assert source(elsewhere) == "workos"


async def test_a_connection_that_was_never_activated_is_asked_for(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow
) -> None:
    """No event tells of it, so the copy does not know all connections: WorkOS does, and of each what it is today."""
    organization = await local.organization()
    made = await local.call("POST", "/_sandbox/connections", {"organization_id": organization["id"]})
    await follow()
    paths = ["/connections", f"/connections/{made['id']}", "/connections"]
    answers = [await both(root, local, path) for path in paths]
    assert [source(answer) for answer in answers] == ["workos"] * len(paths)


async def test_directories_are_asked_for(root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow) -> None:
    """They count their people, and no event of a directory's tells that somebody came."""
    company = {"name": "Engines", "domain_data": [{"domain": "engines.example", "state": "verified"}]}
    organization = await local.call("POST", ORGANIZATIONS, company)
    made = await local.call("POST", "/_sandbox/directories", {"organization_id": organization["id"]})
    await follow()
    await both(root, local, f"/directories/{made['id']}")
    person = {"idp_id": "1", "email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
    await local.call("PUT", f"/_sandbox/directories/{made['id']}/users", person)
    await follow()
    answers = [await both(root, local, path) for path in (f"/directories/{made['id']}", "/directories")]
    assert [source(answer) for answer in answers] == ["workos"] * 2


SECRETIVE = ["/user_management/invitations", "/organizations/{organization}/api_keys"]


@pytest.mark.parametrize("path", SECRETIVE)
async def test_what_the_copy_does_not_hold_whole_is_asked_for(
    root: httpx.AsyncClient, local: LocalWorkOS, follow: Follow, path: str
) -> None:
    """Invitations without their tokens, keys of which not all are listed: read through, and learnt without secrets."""
    organization = await local.organization()
    body = {"email": "ada@example.com", "organization_id": organization["id"]}
    await local.call("POST", "/user_management/invitations", body)
    await follow()
    assert source(await both(root, local, path.format(organization=organization["id"]))) == "workos"


async def test_a_secret_is_never_a_marker(
    root: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, follow: Follow
) -> None:
    """What the copy keeps without its secret is read from WorkOS."""
    user = await local.user(metadata={"token": "[redacted]"})
    await follow()
    assert source(await both(root, local, f"{USERS}/{user['id']}")) == "workos"
