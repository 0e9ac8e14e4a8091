from user_management.tests.sandbox.conftest import WorkOS


async def test_roles_come_on_one_page_in_order_of_priority(workos: WorkOS) -> None:
    """The list has no cursors; an organization has the roles of the environment."""
    page = await workos.get("/authorization/roles", limit=1)
    organization = await workos.organization()
    assert [role["slug"] for role in page["data"]] == ["admin", "member", "billing", "viewer"]
    assert set(page) == {"object", "data"}
    assert await workos.get(f"/authorization/organizations/{organization['id']}/roles") == page
    await workos.get("/authorization/organizations/org_x/roles", 404)


async def test_one_role_by_slug(workos: WorkOS) -> None:
    """A slug that is not there is a 404."""
    assert (await workos.get("/authorization/roles/admin"))["name"] == "Admin"
    assert await workos.get("/authorization/roles/king", 404) == {"message": "Role not found: 'king'."}
