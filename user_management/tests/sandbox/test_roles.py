from typing import Any

from user_management.tests.sandbox.conftest import WorkOS

ROLES = "/authorization/roles"
EVENTS = "role.created,role.updated,role.deleted"
OWN_EVENTS = "organization_role.created,organization_role.updated,organization_role.deleted"


async def own(workos: WorkOS, **fields: Any) -> tuple[str, Any]:
    """The path of a new organization's roles, and a role of its own."""
    path = f"/authorization/organizations/{(await workos.organization())['id']}/roles"
    return path, await workos.send("POST", path, {"name": "Night Shift", **fields}, 201)


async def test_roles_come_on_one_page_in_order_of_priority(workos: WorkOS) -> None:
    """The list has no cursors; an organization has the roles of the environment."""
    page = await workos.get(ROLES, limit=1)
    organization = await workos.organization()
    assert [role["slug"] for role in page["data"]] == ["admin", "member", "billing", "viewer"]
    assert set(page) == {"object", "data"}
    assert await workos.get(f"/authorization/organizations/{organization['id']}/roles") == page
    await workos.get("/authorization/organizations/org_x/roles", 404)


async def test_one_role_by_slug(workos: WorkOS) -> None:
    """A slug that is not there is a 404."""
    assert (await workos.get(f"{ROLES}/admin"))["name"] == "Admin"
    assert await workos.get(f"{ROLES}/king", 404) == {"message": "Role not found: 'king'."}


async def test_events_of_roles_are_lean(workos: WorkOS) -> None:
    """They carry the slug and the permissions, neither id nor name; a change of nothing is not told."""
    role = await workos.send("POST", ROLES, {"slug": "auditor", "name": "Auditor"}, 201)
    await workos.send("PATCH", f"{ROLES}/auditor", {"name": "Auditor"})
    changed = await workos.send("PATCH", f"{ROLES}/auditor", {"name": "Checker"})
    assert changed == role | {"name": "Checker"}
    lean = {key: role[key] for key in role if key not in {"id", "name", "description", "type"}}
    assert [event["data"] for event in await workos.events(EVENTS)] == [lean, lean]
    assert (await workos.send("POST", ROLES, {"slug": "admin", "name": "A"}, 409))["code"] == "role_slug_conflict"
    await workos.send("POST", ROLES, {"slug": "x" * 49, "name": "A"}, 422)


async def test_permissions_are_set_and_added(workos: WorkOS) -> None:
    """PUT replaces them, POST adds one that there must be."""
    changed = await workos.send("PUT", f"{ROLES}/viewer/permissions", {"permissions": ["reports:view"]})
    assert changed["permissions"] == ["reports:view"]
    added = await workos.send("POST", f"{ROLES}/viewer/permissions", {"slug": "users:view"})
    assert added["permissions"] == ["reports:view", "users:view"]
    await workos.send("POST", f"{ROLES}/viewer/permissions", {"slug": "reports:burn"}, 404)
    told = [event["data"]["permissions"] for event in await workos.events(EVENTS)]
    assert told == [["reports:view"], ["reports:view", "users:view"]]


async def test_the_dashboard_deletes_a_role(workos: WorkOS) -> None:
    """Whoever had it becomes an ordinary member; the default role stays."""
    membership = await workos.membership(await workos.user(), await workos.organization(), role_slug="billing")
    await workos.send("DELETE", "/_sandbox/roles/billing", status=204)
    path = f"/user_management/organization_memberships/{membership['id']}"
    assert (await workos.get(path))["role"] == {"slug": "member"}
    kinds = [event["event"] for event in await workos.events(f"{EVENTS},organization_membership.updated")]
    assert kinds == ["organization_membership.updated", "role.deleted"]
    await workos.send("DELETE", "/_sandbox/roles/member", status=409)


async def test_an_organization_has_roles_of_its_own(workos: WorkOS) -> None:
    """They stand behind the environment's; the slug is made from the name; events have no id."""
    path, role = await own(workos)
    slugs = [one["slug"] for one in (await workos.get(path))["data"]]
    assert slugs == ["admin", "member", "billing", "viewer", "org-night-shift"]
    assert await workos.get(f"{path}/org-night-shift") == role
    assert await workos.get(f"{path}/admin") == await workos.get(f"{ROLES}/admin")
    (event,) = await workos.events(OWN_EVENTS)
    assert event["data"].keys() == (role.keys() - {"id", "type"}) | {"organization_id"}
    assert (role["type"], event["data"]["object"]) == ("OrganizationRole", "organization_role")


async def test_own_roles_change(workos: WorkOS) -> None:
    """Their name and permissions; a permission can be taken away one by one."""
    path, _ = await own(workos, slug="night")
    await workos.send("PATCH", f"{path}/night", {"name": "Night"})
    await workos.send("PUT", f"{path}/night/permissions", {"permissions": ["users:view"]})
    await workos.send("POST", f"{path}/night/permissions", {"slug": "users:manage"})
    left = await workos.send("DELETE", f"{path}/night/permissions/users:view")
    assert (left["name"], left["permissions"]) == ("Night", ["users:manage"])
    assert len(await workos.events(OWN_EVENTS)) == 5
    for slug in ("night", "admin"):
        refused = await workos.send("POST", path, {"name": "Night", "slug": slug}, 409)
        assert refused["code"] == "organization_role_slug_conflict"


async def test_a_role_somebody_has_stays(workos: WorkOS) -> None:
    """409 as long as it is assigned, 204 once it is not; only its own organization can give it."""
    path, role = await own(workos)
    organization = {"id": path.split("/")[3]}
    membership = await workos.membership(await workos.user(), organization, role_slug=role["slug"])
    other = {"user_id": membership["user_id"], "organization_id": (await workos.organization())["id"]}
    body = other | {"role_slug": role["slug"]}
    await workos.send("POST", "/user_management/organization_memberships", body, 422)
    refused = await workos.send("DELETE", f"{path}/{role['slug']}", status=409)
    assert refused["code"] == "role_has_assignments"
    await workos.send("DELETE", f"/user_management/organization_memberships/{membership['id']}")
    await workos.send("DELETE", f"{path}/{role['slug']}", status=204)
    kinds = [event["event"] for event in await workos.events(OWN_EVENTS)]
    assert kinds == ["organization_role.created", "organization_role.deleted"]


async def test_permissions_have_lives_too(workos: WorkOS) -> None:
    """They are listed in pages, changed by slug, and taken from every role when they go."""
    path = "/authorization/permissions"
    made = await workos.send("POST", path, {"slug": "reports:burn", "name": "Burn"}, 201)
    assert (await workos.get(path, limit=1))["data"] == [made]
    assert (await workos.send("POST", path, {"slug": "reports:burn", "name": "B"}, 409))["code"].endswith("_conflict")
    changed = await workos.send("PATCH", f"{path}/reports:burn", {"description": "To ashes"})
    assert await workos.get(f"{path}/reports:burn") == changed
    await workos.send("POST", f"{ROLES}/admin/permissions", {"slug": "reports:burn"})
    await workos.send("DELETE", f"{path}/reports:burn", status=204)
    assert "reports:burn" not in (await workos.get(f"{ROLES}/admin"))["permissions"]
    kinds = "permission.created,permission.updated,permission.deleted"
    assert [event["data"] for event in await workos.events(kinds)] == [made, changed, changed]
    await workos.send("DELETE", f"{path}/widgets:users-table:manage", status=403)
