"""Writes that are no object of their own: what is told once, what cannot be looked for, what is called by two names."""

import json
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.tests.web.conftest import Tell, ids
from user_management.tests.web.test_writes import USER

KEY = {"Idempotency-Key": "first-try"}
REVOKE, RESEND = "/user_management/sessions/revoke", "/user_management/invitations/invitation_1/resend"
TIMES = {"created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}
PERMISSION = {"object": "permission", "id": "perm_1", "slug": "looms:run", "name": "Run looms", **TIMES}
INVITATION = {"object": "invitation", "id": "invitation_1", "email": "ada@example.com", "state": "pending",
              "expires_at": "2126-01-01T00:00:00.000Z", **TIMES}  # fmt: skip
ROLE = {"object": "role", "id": "role_1", "slug": "weaver", "name": "Weaver", "permissions": ["looms:run"],
        "type": "OrganizationRole", **TIMES}  # fmt: skip


async def everything(pool: Pool) -> str:
    """All that is stored of what WorkOS said and of what was answered."""
    tables = ("journal", "writes", "api_keys", "invitations", "organization_domains", "users")
    texts = [await pool.fetchval(f"SELECT string_agg(t::text, '') FROM {table} AS t") for table in tables]
    return "".join(filter(None, texts))


async def test_the_value_of_a_key_is_told_once_and_kept_nowhere(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """Whoever makes a key is given its value; the copy has the key without it."""
    key: dict[str, Any] = {
        "object": "api_key", "id": "api_key_1", "name": "CI", "owner": {"type": "organization", "id": "org_1"},
        "obfuscated_value": "sk_...1", "last_used_at": None, "permissions": [], **TIMES,
    }  # fmt: skip
    remote.post("/organizations/org_1/api_keys").respond(201, json={**key, "value": "sk_s3cret"})
    answer = await afar.post("/api/organizations/org_1/api_keys", json={"name": "CI"}, headers=KEY)
    assert (answer.status_code, answer.json()["value"]) == (201, "sk_s3cret")
    assert (await afar.get(answer.headers["Location"])).json() == key
    assert "sk_s3cret" not in await everything(pool)


async def test_the_secrets_of_an_invitation_are_told_and_kept_nowhere(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """Whoever invites is given the token, for a mail of their own; nothing of it is stored."""
    remote.post("/user_management/invitations").respond(201, json={**INVITATION, "token": "s3cret"})
    answer = await afar.post("/api/invitations", json={"email": "ada@example.com"}, headers=KEY)
    assert (answer.status_code, answer.json()["token"]) == (201, "s3cret")
    assert ids(await afar.get("/api/invitations")) == ["invitation_1"]
    assert "s3cret" not in await everything(pool)


async def test_what_cannot_be_looked_for_and_must_not_be_done_twice_is_not_sent_twice(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """Whether a mail was sent nobody can see: under its key it is not sent again, and the answer says what to do."""
    route = remote.post(RESEND).respond(500)
    answers = [await afar.post("/api/invitations/invitation_1/resend", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [504, 504]
    assert route.call_count == 1
    assert "another key" in answers[1].json()["detail"]


@pytest.mark.parametrize(("second", "expected"), [(200, 204), (400, 504), (500, 504)])
async def test_what_may_be_done_twice_is_sent_again_under_its_key(
    afar: httpx.AsyncClient, remote: respx.MockRouter, second: int, expected: int
) -> None:
    """A session is revoked once more; that there is none any more proves nothing."""
    route = remote.post(REVOKE).respond(500)
    assert (await afar.post("/api/sessions/session_1/revoke", headers=KEY)).status_code == 504
    route.respond(second, json={"message": "Session not found."} if second == 400 else None)
    assert (await afar.post("/api/sessions/session_1/revoke", headers=KEY)).status_code == expected
    assert [json.loads(call.request.content) for call in route.calls] == [{"session_id": "session_1"}] * 2


@pytest.mark.parametrize("reply", [None, {"object": "session", "id": "session_1", "user_id": "user_1",
    "status": "revoked", "expires_at": "2126-01-01T00:00:00.000Z", **TIMES}])  # fmt: skip
async def test_a_revoked_session_is_shown_if_workos_shows_it(
    afar: httpx.AsyncClient, remote: respx.MockRouter, reply: dict[str, Any] | None, pool: Pool
) -> None:
    """Of an empty reply nothing is invented; a session in it is in the copy at once."""
    remote.post(REVOKE).respond(200, json=reply) if reply else remote.post(REVOKE).respond(200)
    assert (await afar.post("/api/sessions/session_1/revoke")).status_code == (200 if reply else 204)
    assert await pool.fetchval("SELECT body->>'status' FROM sessions") == ("revoked" if reply else None)


@pytest.mark.parametrize("called", ["perm_1", "looms:run"])
async def test_a_permission_is_called_by_its_id_or_by_its_slug(
    afar: httpx.AsyncClient, remote: respx.MockRouter, called: str
) -> None:
    """WorkOS's path has the slug; ours takes what our reads take, too."""
    remote.post("/authorization/permissions").respond(201, json=PERMISSION)
    await afar.post("/api/permissions", json={"slug": "looms:run", "name": "Run looms"})
    route = remote.delete("/authorization/permissions/looms%3Arun").respond(204)
    assert (await afar.delete(f"/api/permissions/{called}")).status_code == 204
    assert (route.call_count, ids(await afar.get("/api/permissions"))) == (1, [])


async def test_what_only_workos_knows_is_called_by_its_slug(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """The end of a permission that the copy never had is WorkOS's to tell of."""
    remote.delete("/authorization/permissions/looms%3Arun").respond(204)
    assert (await afar.delete("/api/permissions/looms:run")).status_code == 204


async def test_a_reply_without_its_object_is_completed(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """WorkOS answers the taking away of a permission with nothing: we ask for the role, and the copy shows it."""
    at = "/authorization/organizations/org_1/roles/weaver"
    remote.post("/authorization/organizations/org_1/roles").respond(201, json=ROLE)
    await afar.post("/api/organizations/org_1/roles", json={"name": "Weaver"})
    remote.delete(f"{at}/permissions/looms%3Arun").respond(204)
    remote.get(at).respond(json={**ROLE, "permissions": [], "updated_at": "2026-01-02T00:00:00.000Z"})
    assert (await afar.delete("/api/organizations/org_1/roles/weaver/permissions/looms:run")).status_code == 204
    assert (await afar.get("/api/organization_roles/org_1:weaver")).json()["permissions"] == []


async def test_who_is_in_a_group_is_shown_at_once(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """WorkOS replies with the group: the pair is what was asked for, and ends when it is asked to."""
    members = "/organizations/org_1/groups/group_1/organization-memberships"
    group = {"object": "group", "id": "group_1", "organization_id": "org_1", "name": "Engineers", **TIMES}
    remote.post(members).respond(200, json=group)
    remote.delete(f"{members}/om_1").respond(204)
    path = "/api/organizations/org_1/groups/group_1/members"
    answer = await afar.post(path, json={"organization_membership_id": "om_1"})
    assert (answer.status_code, answer.json()) == (200, group)
    assert (await afar.get("/api/group_memberships/group_1:om_1")).json()["group_id"] == "group_1"
    assert (await afar.delete(f"{path}/om_1")).status_code == 204
    assert (await afar.get("/api/group_memberships/group_1:om_1")).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{}", b'{"locale": "de"}'])
async def test_an_action_may_be_asked_for_without_a_body(
    afar: httpx.AsyncClient, remote: respx.MockRouter, body: bytes
) -> None:
    """What was sent is forwarded, and nothing where nothing was."""
    route = remote.post(RESEND).respond(200, json=INVITATION)
    assert (await afar.post("/api/invitations/invitation_1/resend", content=body)).status_code == 200
    assert route.calls.last.request.content == body.replace(b": ", b":")


async def test_a_deleted_user_is_not_brought_back_by_a_late_reply(
    afar: httpx.AsyncClient, remote: respx.MockRouter, tell: Tell
) -> None:
    """A tombstone is final, for a reply as for an event."""
    await tell("users", id="user_1")
    remote.delete("/user_management/users/user_1").respond(200)
    remote.put("/user_management/users/user_1").respond(json={**USER, "updated_at": "2126-01-01T00:00:00.000Z"})
    await afar.delete("/api/users/user_1")
    assert (await afar.put("/api/users/user_1", json={})).status_code == 200
    assert (await afar.get("/api/users/user_1")).json()["type"] == "/api/problems/deleted"
