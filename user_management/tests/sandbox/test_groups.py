from typing import Any

from user_management.tests.sandbox.conftest import Watch, WorkOS

EVENTS = "group.created,group.updated,group.deleted,group.member_added,group.member_removed"


async def team(workos: WorkOS) -> tuple[str, Any, Any]:
    """The path of a group, the group, and a membership of its organization."""
    organization = await workos.organization()
    path = f"/organizations/{organization['id']}/groups"
    group = await workos.send("POST", path, {"name": "Core"}, 201)
    return f"{path}/{group['id']}", group, await workos.membership(await workos.user(), organization)


async def test_a_group_comes_changes_and_goes(workos: WorkOS, watch: Watch) -> None:
    """Each step is told with the whole group."""
    path, group, _ = await team(workos)
    watch.forward(seconds=1)
    changed = await workos.send("PATCH", path, {"name": "Centre"})
    assert await workos.get(path) == changed
    parent = path.rpartition("/")[0]
    assert (await workos.get(parent, search="cent"))["data"] == [changed]
    assert (await workos.get(parent, search="core"))["data"] == []
    await workos.send("DELETE", path, status=204)
    await workos.get(path, 404)
    assert [event["data"] for event in await workos.events(EVENTS)] == [group, changed, changed]


async def test_members_are_told_as_a_pair(workos: WorkOS) -> None:
    """Joining and leaving carry two ids and nothing else; doing it twice is told once."""
    path, group, membership = await team(workos)
    body = {"organization_membership_id": membership["id"]}
    for _ in range(2):
        assert await workos.send("POST", f"{path}/organization-memberships", body) == group
    (member,) = (await workos.get(f"{path}/organization-memberships"))["data"]
    assert (member["id"], member["user"]["id"]) == (membership["id"], membership["user_id"])
    of = await workos.get(f"/user_management/organization_memberships/{membership['id']}/groups")
    assert of["data"] == [group]
    gone = f"{path}/organization-memberships/{membership['id']}"
    await workos.send("DELETE", gone, status=204)
    await workos.send("DELETE", gone, status=404)
    pair = body | {"group_id": group["id"]}
    told = [(event["event"], event["data"]) for event in await workos.events(EVENTS)][1:]
    assert told == [("group.member_added", pair), ("group.member_removed", pair)]


async def test_members_change_together(workos: WorkOS) -> None:
    """One that may not be in spoils the whole request; both lists together hold 1 to 100 ids."""
    path, _, membership = await team(workos)
    path = f"{path}/organization-memberships"
    stranger = await workos.membership({"id": membership["user_id"]}, await workos.organization("Other"))
    await workos.send("PATCH", path, {"add": [membership["id"], stranger["id"]]}, 404)
    for body in ({}, {"add": [membership["id"]], "remove": [membership["id"]]}):
        await workos.send("PATCH", path, body, 422)
    assert (await workos.get(path))["data"] == []
    await workos.send("PATCH", path, {"add": [membership["id"]]}, 204)
    assert len((await workos.get(path))["data"]) == 1


async def test_who_leaves_the_organization_leaves_its_groups_silently(workos: WorkOS) -> None:
    """Nothing says that WorkOS tells of it."""
    path, _, membership = await team(workos)
    body = {"organization_membership_id": membership["id"]}
    await workos.send("POST", f"{path}/organization-memberships", body)
    await workos.send("DELETE", f"/user_management/organization_memberships/{membership['id']}")
    assert (await workos.get(f"{path}/organization-memberships"))["data"] == []
    assert [event["event"] for event in await workos.events(EVENTS)] == ["group.created", "group.member_added"]


async def test_a_group_is_found_in_its_own_organization_only(workos: WorkOS) -> None:
    """Elsewhere it is a 404, and without an organization so is everything."""
    _, group, _ = await team(workos)
    other = await workos.organization("Other")
    await workos.get(f"/organizations/{other['id']}/groups/{group['id']}", 404)
    await workos.get("/organizations/org_x/groups", 404)
