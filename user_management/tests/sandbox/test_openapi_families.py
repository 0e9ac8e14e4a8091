"""The families' operations, held against WorkOS's description; what is newer in the SDK is named."""

import json
import re
from typing import Any, Final

import httpx
import pytest

from user_management.tests.sandbox.conftest import Start, WorkOS
from user_management.tests.sandbox.test_openapi import DATA, conforms

OPERATIONS: Final = json.loads((DATA / "families.json").read_text())
ROLES: Final = "/authorization/roles"
INVITATIONS: Final = "/user_management/invitations"


def operation(request: httpx.Request) -> str | None:
    """The operation a request belongs to, a literal path before a template; None if it is no family's."""
    names = sorted(OPERATIONS, key=lambda name: name.count("{"))
    patterns = ((name, re.sub(r"\{\w+\}", "[^/]+", name)) for name in names)
    text = f"{request.method} {request.url.path}"
    return next((name for name, pattern in patterns if re.fullmatch(pattern, text)), None)


@pytest.fixture
def checked(start: Start) -> WorkOS:
    """A sandbox every answer of which about a family is held against the description."""
    workos = start(users=60, organizations=12, rate_limits=False)
    met: set[str] = set()

    async def check(answer: httpx.Response) -> None:
        await answer.aread()
        if name := operation(answer.request):
            met.add(name)
            schema = OPERATIONS[name][str(answer.status_code)]
            if schema:
                conforms(schema, answer.json())

    workos.client.event_hooks["response"] = [check]
    workos.app.state.met = met
    return workos


async def lifecycle(workos: WorkOS, path: str, body: Any, change: Any) -> str:
    """Create, list, get and change something; its path, by its slug if it has one."""
    made = await workos.send("POST", path, body, 201)
    one = f"{path}/{made.get('slug', made['id'])}"
    await workos.get(path)
    await workos.get(one)
    await workos.send("PATCH", one, change)
    return one


async def test_roles_and_permissions(checked: WorkOS) -> None:
    """Each operation is called, and answers as described."""
    own = f"/authorization/organizations/{(await checked.organization())['id']}/roles"
    permission = await lifecycle(checked, "/authorization/permissions", {"slug": "p", "name": "P"}, {"name": "Q"})
    role = ""
    for path in (ROLES, own):
        role = await lifecycle(checked, path, {"slug": f"r{len(path)}", "name": "R"}, {"name": "S"})
        await checked.send("PUT", f"{role}/permissions", {"permissions": ["users:view"]})
        await checked.send("POST", f"{role}/permissions", {"slug": "p"})
    await checked.send("DELETE", f"{role}/permissions/p")
    await checked.send("DELETE", role, status=204)
    await checked.send("DELETE", permission, status=204)
    assert checked.app.state.met == {name for name in OPERATIONS if " /authorization" in name}


async def test_groups_domains_and_keys(checked: WorkOS) -> None:
    """Each operation is called, and answers as described."""
    user, organization = await checked.user(), await checked.organization()
    membership, path = await checked.membership(user, organization), f"/organizations/{organization['id']}"
    group = await lifecycle(checked, f"{path}/groups", {"name": "G"}, {"description": "D"})
    members, member = f"{group}/organization-memberships", {"organization_membership_id": membership["id"]}
    await checked.send("POST", members, member)
    await checked.get(members)
    await checked.get(f"/user_management/organization_memberships/{membership['id']}/groups")
    await checked.send("DELETE", f"{members}/{membership['id']}", status=204)
    await checked.send("DELETE", group, status=204)
    body = {"domain": "g.example", "organization_id": organization["id"]}
    domain = await checked.send("POST", "/organization_domains", body, 201)
    await checked.get(f"/organization_domains/{domain['id']}")
    await checked.send("POST", f"/organization_domains/{domain['id']}/verify", status=201)
    await checked.send("DELETE", f"/organization_domains/{domain['id']}", status=204)
    body = {"name": "K", "organization_id": organization["id"]}
    mine, ours = f"/user_management/users/{user['id']}/api_keys", f"{path}/api_keys"
    await checked.send("POST", mine, body, 201)
    key = await checked.send("POST", ours, body, 201)
    for keys in (mine, ours):
        await checked.get(keys)
    await checked.send("POST", "/api_keys/validations", {"value": key["value"]})
    await checked.send("DELETE", f"/api_keys/{key['id']}", status=204)
    wanted = ("/groups", "organization-memberships", "/organization_domains", "/api_keys")
    assert checked.app.state.met == {name for name in OPERATIONS if any(part in name for part in wanted)}


async def test_invitations(checked: WorkOS) -> None:
    """Each operation is called, and answers as described."""
    organization, user = await checked.organization(), await checked.user()
    body = {"email": user["email"], "organization_id": organization["id"]}
    other = await checked.send("POST", INVITATIONS, body, 201)
    made = await checked.send("POST", INVITATIONS, {"email": "grace@example.com"}, 201)
    await checked.get(INVITATIONS)
    await checked.get(f"{INVITATIONS}/by_token/{made['token']}")
    await checked.get(f"{INVITATIONS}/{made['id']}")
    for invitation, verb in ((other, "resend"), (other, "accept"), (made, "revoke")):
        await checked.send("POST", f"{INVITATIONS}/{invitation['id']}/{verb}")
    assert checked.app.state.met == {name for name in OPERATIONS if "invitations" in name}


async def test_connections_directories_and_flags(checked: WorkOS) -> None:
    """Each operation is called, and answers as described."""
    store, flag = checked.app.state.store, "/feature-flags/dark-mode"
    user, organization, directory = store.users.ids[0], store.organizations.ids[0], store.directories.ids[0]
    group = store.directory_groups.of("directory_id", directory)[0]
    for path in ("/connections", "/directories", "/feature-flags"):
        await checked.get(path)
    for path in ("/directory_users", "/directory_groups"):
        await checked.get(path, directory=directory)
    (member, *_) = (await checked.get("/directory_users", group=group))["data"]
    await checked.get(f"/directory_users/{member['id']}")
    await checked.get(f"/directory_groups/{group}")
    for path, status in ((f"/connections/{store.connections.ids[0]}", 204), (f"/directories/{directory}", 202)):
        await checked.get(path)
        await checked.send("DELETE", path, status=status)
    await checked.get(flag)
    for method in ("POST", "DELETE"):
        await checked.send(method, f"{flag}/targets/{user}", status=204)
    for verb in ("enable", "disable"):
        await checked.send("PUT", f"{flag}/{verb}")
    for path in (f"/organizations/{organization}/feature-flags", f"/user_management/users/{user}/feature-flags"):
        await checked.get(path)
    wanted = ("/connections", "/director", "feature-flags")
    assert checked.app.state.met == {name for name in OPERATIONS if any(part in name for part in wanted)}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", INVITATIONS, {}, 422),
        ("POST", INVITATIONS, {"email": "a@b.example", "expires_in_days": 90}, 400),
        ("GET", f"{INVITATIONS}/invitation_x", None, 404),
        ("POST", ROLES, {"slug": "admin", "name": "A"}, 409),
        ("POST", ROLES, {"slug": "a"}, 422),
        ("PATCH", f"{ROLES}/king", {"name": "A"}, 404),
        ("POST", "/authorization/permissions", {"slug": "users:view", "name": "A"}, 409),
        ("GET", "/authorization/permissions/x", None, 404),
        ("GET", "/organization_domains/org_domain_x", None, 404),
        ("GET", "/organizations/org_x/groups", None, 404),
        ("GET", "/connections/conn_x", None, 404),
        ("GET", "/directory_users", None, 422),
        ("GET", "/directory_groups?directory=directory_x", None, 404),
        ("GET", "/organizations/org_x/api_keys", None, 404),
        ("DELETE", "/api_keys/api_key_x", None, 404),
        ("GET", "/feature-flags/x", None, 404),
        ("POST", "/feature-flags/dark-mode/targets/user_x", None, 404),
    ],
)
async def test_refusals_conform(checked: WorkOS, method: str, path: str, body: Any, status: int) -> None:
    """Errors have a described status and a described body."""
    await checked.send(method, path, body, status)
    assert checked.app.state.met
