from typing import Any

from user_management.tests.sandbox.conftest import Start, WorkOS

USER_EVENTS = "dsync.user.created,dsync.user.updated,dsync.user.deleted"
GROUP_EVENTS = "dsync.group.created,dsync.group.updated,dsync.group.deleted"
MEMBER_EVENTS = "dsync.group.user_added,dsync.group.user_removed"
EVENTS = f"dsync.activated,dsync.deleted,{USER_EVENTS},{GROUP_EVENTS},{MEMBER_EVENTS}"
ADA = {"idp_id": "1", "email": "ada@example.com", "first_name": "Ada"}


async def linked(workos: WorkOS) -> Any:
    """A new directory."""
    data = [{"domain": "anchor.example", "state": "verified"}]
    organization = await workos.organization(domain_data=data)
    return await workos.send("POST", "/_sandbox/directories", {"organization_id": organization["id"]}, 201)


async def pushed(workos: WorkOS, directory: Any) -> tuple[Any, Any]:
    """A user and a group of a directory, the one in the other."""
    path = f"/_sandbox/directories/{directory['id']}"
    user = await workos.send("PUT", f"{path}/users", ADA)
    group = await workos.send("PUT", f"{path}/groups", {"idp_id": "g", "name": "Staff"})
    await workos.send("PUT", f"/_sandbox/directory_groups/{group['id']}/users/{user['id']}", status=204)
    return user, group


async def kinds(workos: WorkOS) -> list[str]:
    """What happened in directories, in order."""
    return [event["event"].removeprefix("dsync.") for event in await workos.events(EVENTS)]


async def test_events_have_words_of_their_own_for_a_directory(workos: WorkOS) -> None:
    """What the API calls linked is active in events, where domains have ids; its end has neither domains nor key."""
    directory = await linked(workos)
    assert (directory["state"], directory["domain"]) == ("linked", "anchor.example")
    await workos.send("DELETE", f"/directories/{directory['id']}", status=202)
    on, off = [event["data"] for event in await workos.events(EVENTS)]
    assert (on["state"], off["state"], on.keys() - off.keys()) == ("active", "active", {"domains", "external_key"})
    assert on["domains"][0]["domain"] == "anchor.example"
    await workos.get(f"/directories/{directory['id']}", 404)


async def test_the_end_of_a_directory_is_its_only_event(workos: WorkOS) -> None:
    """Users, groups and members vanish without a word."""
    directory = await linked(workos)
    user, group = await pushed(workos, directory)
    await workos.send("DELETE", f"/directories/{directory['id']}", status=202)
    for path in (f"/directory_users/{user['id']}", f"/directory_groups/{group['id']}"):
        await workos.get(path, 404)
    happened = ["activated", "user.created", "group.created", "group.user_added", "deleted"]
    assert await kinds(workos) == happened


async def test_lists_need_a_directory_or_a_group(workos: WorkOS) -> None:
    """Users show their groups; groups are found by their users; neither is listed without a parameter."""
    directory = await linked(workos)
    user, group = await pushed(workos, directory)
    shown = user | {"groups": [group]}
    for parameters in ({"directory": directory["id"]}, {"group": group["id"]}):
        assert (await workos.get("/directory_users", **parameters))["data"] == [shown]
    assert await workos.get(f"/directory_users/{user['id']}") == shown
    for parameters in ({"directory": directory["id"]}, {"user": user["id"]}):
        assert (await workos.get("/directory_groups", **parameters))["data"] == [group]
    assert (await workos.get("/directory_users", directory=directory["id"], email="grace@example.com"))["data"] == []
    for path in ("/directory_users", "/directory_groups"):
        await workos.get(path, 422)
        await workos.get(path, 404, directory="directory_x")


async def test_a_push_of_somebody_known_is_a_change(workos: WorkOS) -> None:
    """The event carries what was there before, one level deep; a push of nothing new is not told."""
    directory = await linked(workos)
    path = f"/_sandbox/directories/{directory['id']}/users"
    for _ in range(2):
        await workos.send("PUT", path, ADA)
    user = await workos.send("PUT", path, ADA | {"first_name": "Grace", "state": "suspended"})
    assert await kinds(workos) == ["activated", "user.created", "user.updated"]
    data = (await workos.events(EVENTS))[-1]["data"]
    assert data == user | {"previous_attributes": {"first_name": "Ada", "name": "Ada", "state": "active"}}


async def test_members_are_told_with_user_and_group(workos: WorkOS) -> None:
    """Neither's `updated_at` moves; the end of a group or a user tells nothing of its members."""
    directory = await linked(workos)
    user, group = await pushed(workos, directory)
    path = f"/_sandbox/directory_groups/{group['id']}"
    assert (await workos.events(EVENTS))[-1]["data"] == {"directory_id": directory["id"], "user": user, "group": group}
    for _ in range(2):
        await workos.send("DELETE", f"{path}/users/{user['id']}", status=204)
    await workos.send("PUT", f"{path}/users/{user['id']}", status=204)
    await workos.send("DELETE", path, status=204)
    await workos.send("DELETE", f"/_sandbox/directory_users/{user['id']}", status=204)
    comings = ["group.user_added", "group.user_removed", "group.user_added"]
    assert (await kinds(workos))[3:] == [*comings, "group.deleted", "user.deleted"]


async def test_a_deleted_organization_takes_its_directories_along(workos: WorkOS) -> None:
    """Silently: nothing says that WorkOS tells of it."""
    directory = await linked(workos)
    await pushed(workos, directory)
    before = await kinds(workos)
    await workos.send("DELETE", f"/organizations/{directory['organization_id']}")
    assert (await workos.get("/directories"))["data"] == []
    assert await kinds(workos) == before


async def test_the_users_of_a_directory_are_listed_four_times_a_second(start: Start) -> None:
    """The fifth time is a 429; another directory has a limit of its own."""
    workos = start()
    one, other = (
        await linked(workos),
        (
            await workos.send(
                "POST", "/_sandbox/directories", {"organization_id": (await workos.organization())["id"]}, 201
            )
        ),
    )
    for _ in range(4):
        await workos.get("/directory_users", directory=one["id"])
    await workos.get("/directory_users", 429, directory=one["id"])
    await workos.get("/directory_users", directory=other["id"])
