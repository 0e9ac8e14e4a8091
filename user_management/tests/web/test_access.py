"""Who may do what: answered from the copy while it is young, by WorkOS when it is not, and never guessed."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.mirror.engine import access
from user_management.mirror.engine.access import Facts, Presence, Reason
from user_management.tests.web.conftest import NOBODY, Tell, complete, fields, ids, place

ASKED = {"user_id": "user_0000", "organization_id": "organization_0000", "permission": "billing:manage"}
ROLE = {"object": "role", "slug": "admin", "permissions": ["billing:manage", "users:manage"],
        "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}  # fmt: skip
MEMBERSHIP = {"object": "organization_membership", "id": "om_1", "user_id": "user_0000", "status": "active",
              "organization_id": "organization_0000", "role": {"slug": "admin"}}  # fmt: skip
Doubt = Callable[[Pool, Tell], Awaitable[None]]
LISTED = "/authorization/organizations/organization_0000/roles"


async def world(
    pool: Pool, tell: Tell, *, status: str = "active", own: list[str] | None = None, age: float = 0
) -> None:
    """A user who is an admin of an organization, which may have such a role of its own; the copy is live."""
    await tell("users")
    await tell("organizations")
    await tell("organization_memberships", status=status)
    await pool.execute(
        "UPDATE organization_memberships SET body = jsonb_set(body::jsonb, '{role}', '{\"slug\": \"admin\"}')"
    )
    insert = "(id, created_at, updated_at, position, body, slug{}) VALUES ($1, now(), now(), 1, $2, 'admin'{})"
    role = '{{"slug": "admin", "organization_id": "organization_0000", "permissions": {}}}'
    granted = role.format('["billing:manage", "users:manage"]')
    await pool.execute(f"INSERT INTO roles {insert.format('', '')}", "admin", granted)
    if own is not None:
        query = f"INSERT INTO organization_roles {insert.format(', organization_id', ', $3')}"
        words = str(own).replace("'", '"')
        await pool.execute(query, "organization_0000:admin", role.format(words), "organization_0000")
    await place(pool, drained=age)
    await complete(pool)


async def told(api: httpx.AsyncClient, **query: Any) -> tuple[bool, str, str]:
    """Whether it is allowed, why, and who says so."""
    answer = await api.get("/api/check", params=ASKED | query)
    assert answer.status_code == 200, answer.text
    return answer.json()["allowed"], answer.json()["reason"], answer.headers["Replica-Source"]


async def test_an_active_member_may_what_the_role_permits(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """And nothing else."""
    await world(pool, tell)
    assert await told(api) == (True, "granted", "copy")
    assert await told(api, permission="billing") == (False, "permission_not_granted", "copy")
    found = await api.get("/api/users/user_0000/permissions?organization_id=organization_0000")
    assert found.json()["permissions"] == ["billing:manage", "users:manage"]
    assert "Replica-State" in found.headers


async def test_a_role_of_the_organizations_own_comes_first(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """Also where it permits less than the environment's of the same slug."""
    await world(pool, tell, own=["users:manage"])
    assert await told(api) == (False, "permission_not_granted", "copy")
    assert await told(api, permission="users:manage") == (True, "granted", "copy")


@pytest.mark.parametrize("status", ["inactive", "pending"])
async def test_who_is_no_active_member_may_nothing(api: httpx.AsyncClient, pool: Pool, tell: Tell, status: str) -> None:
    """Whatever the role."""
    await world(pool, tell, status=status)
    assert await told(api) == (False, "membership_not_active", "copy")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("users", "user_deleted"),
        ("organizations", "organization_deleted"),
        ("organization_memberships", "no_membership"),
    ],
)
async def test_who_is_gone_may_nothing(api: httpx.AsyncClient, pool: Pool, tell: Tell, name: str, reason: str) -> None:
    """Nor in what is gone."""
    await world(pool, tell)
    await tell(name, what="deleted")
    assert await told(api) == (False, reason, "copy")


async def test_who_is_unknown_may_nothing(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """Asked about in a check, that is an answer; asked for by path, it is a 404."""
    await world(pool, tell)
    assert await told(api, user_id="user_9") == (False, "user_not_found", "copy")
    assert await told(api, organization_id="org_9") == (False, "organization_not_found", "copy")
    gone = await api.get("/api/users/user_9/permissions?organization_id=organization_0000")
    assert gone.status_code == 404


async def test_a_role_that_was_taken_away_grants_nothing(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """An event that tells one role, and not all of them, leaves nothing of those that were known."""
    await world(pool, tell)
    roles = """'{"roles": [{"slug": "admin"}]}'"""
    await pool.execute(f"UPDATE organization_memberships SET body = body::jsonb || {roles}")
    assert await told(api) == (True, "granted", "copy")
    await tell("roles", slug="member", permissions=[])
    await tell("organization_memberships", what="updated", role={"slug": "member"})
    assert await told(api) == (False, "permission_not_granted", "copy")


async def lean_role(pool: Pool, tell: Tell) -> None:
    """An event tells that the role changed, and not what it permits."""
    await pool.execute("UPDATE roles SET position = 0")
    await tell("roles", what="updated", slug="admin", updated_at="2126-01-01T00:00:00.000Z")


async def left_out(pool: Pool, _tell: Tell) -> None:
    """The key may not list the roles of organizations."""
    await complete(pool, "organization_roles")


async def parked(_pool: Pool, tell: Tell) -> None:
    """The end of the membership could not be applied."""
    await tell("organization_memberships", what="updated", status="inactive", updated_at="soon")


@pytest.mark.parametrize("doubt", [lean_role, left_out, parked])
async def test_what_the_copy_is_not_sure_of_is_asked_of_workos(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool, tell: Tell, doubt: Doubt
) -> None:
    """Nothing is granted by what may have ended; who is expanded has permissions that are not known."""
    await world(pool, tell)
    assert await told(afar) == (True, "granted", "copy")
    await doubt(pool, tell)
    remote.get("/user_management/organization_memberships").respond(json=NOBODY)
    assert await told(afar) == (False, "no_membership", "workos")
    found = await afar.get("/api/users/user_0000?expand=permissions")
    assert found.json()["permissions"] == {"organization_0000": None}


@pytest.mark.parametrize("permits", [["billing:manage"], []])
async def test_a_copy_that_is_too_old_asks_workos(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool, tell: Tell, permits: list[str]
) -> None:
    """And says that it did; a copy as young as was asked for answers itself."""
    await world(pool, tell, age=20)
    memberships = remote.get("/user_management/organization_memberships").respond(json=NOBODY | {"data": [MEMBERSHIP]})
    remote.get(LISTED).respond(json=NOBODY | {"data": [ROLE | {"permissions": permits}]})
    assert await told(afar, max_age=60) == (True, "granted", "copy")
    assert (await told(afar, max_age=10))[::2] == (bool(permits), "workos")
    assert memberships.calls.last.request.url.params["statuses"] == "active"


async def test_a_copy_that_was_never_complete_asks_workos(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """However old it may be; and who is no member there may nothing."""
    remote.get("/user_management/organization_memberships").respond(json=NOBODY)
    assert await told(afar, max_age=86400) == (False, "no_membership", "workos")


async def test_a_role_the_copy_does_not_know_asks_workos(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool, tell: Tell
) -> None:
    """What a role permits is not guessed."""
    await world(pool, tell)
    await pool.execute("DELETE FROM roles")
    remote.get("/user_management/organization_memberships").respond(json=NOBODY | {"data": [MEMBERSHIP]})
    remote.get(LISTED).respond(json=NOBODY | {"data": [ROLE]})
    assert await told(afar) == (True, "granted", "workos")


@pytest.mark.parametrize("status", [500, 503])
async def test_when_nobody_knows_nothing_is_guessed(
    afar: httpx.AsyncClient, remote: respx.MockRouter, status: int
) -> None:
    """A copy that may not answer before a WorkOS that does not is a 503."""
    remote.get("/user_management/organization_memberships").respond(status)
    for path in (f"/api/check?{httpx.QueryParams(ASKED)}", "/api/users/u/permissions?organization_id=o"):
        assert (await afar.get(path)).status_code == 503


async def test_a_question_is_whole(api: httpx.AsyncClient) -> None:
    """What is missing, or not known, is named."""
    assert fields(await api.get("/api/check?max_age=-1")) == ["user_id", "organization_id", "permission", "max_age"]
    assert fields(await api.get("/api/users/u/permissions")) == ["organization_id"]


async def test_a_user_comes_with_what_belongs_to_them(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """Memberships with their organizations, roles and permissions, as wanted."""
    await world(pool, tell)
    user = (await api.get("/api/users/user_0000?expand=memberships,roles,permissions")).json()
    assert user["memberships"][0]["organization"]["id"] == "organization_0000"
    assert user["roles"]["organization_0000"][0]["slug"] == "admin"
    assert user["permissions"] == {"organization_0000": ["billing:manage", "users:manage"]}
    assert "roles" not in (await api.get("/api/users/user_0000?expand=permissions")).json()
    assert fields(await api.get("/api/users/user_0000?expand=secrets")) == ["expand"]
    assert fields(await api.get("/api/users/user_0000?expand=roles&include_deleted=true")) == ["expand"]


async def test_the_users_of_an_organization(api: httpx.AsyncClient, pool: Pool, tell: Tell) -> None:
    """With their memberships, page by page; active ones unless told otherwise."""
    await tell("users", 5)
    await tell("organizations")
    await tell("organization_memberships", 5, user_id="user_000{}")
    await tell("organization_memberships", 1, what="updated", status="inactive")
    path = "/api/organizations/organization_0000/users"
    first = await api.get(path, params={"limit": 3})
    assert ids(first) == ["user_0004", "user_0003", "user_0002"]
    assert first.json()["data"][0]["membership"]["id"] == "organization_membership_0004"
    rest = await api.get(path, params={"limit": 3, "after": first.json()["list_metadata"]["after"]})
    assert (ids(rest), rest.json()["list_metadata"]["after"]) == (["user_0001"], None)
    assert len(ids(await api.get(path, params={"statuses": "active,inactive", "offset": 1}))) == 4
    assert (await api.get("/api/organizations/none/users")).status_code == 404


@pytest.mark.parametrize("permissions", [None, "all", 3])
def test_a_role_that_does_not_say_is_undecided(permissions: Any) -> None:
    """Neither allowed nor refused."""
    facts = Facts([MEMBERSHIP], {(None, "admin"): {"permissions": permissions}})
    with pytest.raises(access.Undecided):
        access.decide(facts, "organization_0000")


def test_a_role_that_is_not_among_the_roles_is_undecided() -> None:
    """Which of the two is out of date is not guessed."""
    facts = Facts([MEMBERSHIP | {"roles": [{"slug": "member"}]}], {(None, "admin"): ROLE, (None, "member"): ROLE})
    with pytest.raises(access.Undecided):
        access.decide(facts, "organization_0000")


@pytest.mark.parametrize("user", Presence)
@pytest.mark.parametrize("organization", Presence)
def test_nobody_may_anything_where_something_is_missing(user: Presence, organization: Presence) -> None:
    """Only a user and an organization that both are there can grant anything."""
    facts = Facts([MEMBERSHIP], {(None, "admin"): ROLE}, user, organization)
    granted = access.decide(facts, "organization_0000").allows("users:manage") is Reason.GRANTED
    assert granted == (user is organization is Presence.LIVE)
