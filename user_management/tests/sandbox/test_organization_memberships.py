from typing import Any

import pytest

from user_management.tests.sandbox.conftest import MEMBERSHIP_EVENTS, WorkOS

MEMBERSHIPS = "/user_management/organization_memberships"
EVERY_STATUS = "active,inactive,pending"


async def join(workos: WorkOS, email: str = "ada@example.com") -> Any:
    """The membership of a new user in the one organization there is."""
    organizations = (await workos.get("/organizations"))["data"]
    organization = organizations[0] if organizations else await workos.organization()
    return await workos.membership(await workos.user(email), organization)


async def pending(crowd: WorkOS) -> Any:
    """A seeded membership that waits for its user."""
    for organization in (await crowd.get("/organizations", limit=100))["data"]:
        page = await crowd.get(MEMBERSHIPS, organization_id=organization["id"], statuses="pending")
        if page["data"]:
            return page["data"][0]
    raise AssertionError("none was seeded")


async def test_created_is_active_and_embeds_its_user(workos: WorkOS) -> None:
    """The REST object has the organization's name and the user, as it is now."""
    membership = await join(workos)
    user_id = membership["user_id"]
    await workos.send("PUT", f"/user_management/users/{user_id}", {"first_name": "Ada"})
    shown = await workos.get(f"{MEMBERSHIPS}/{membership['id']}")
    assert (shown["status"], shown["role"], shown["roles"]) == ("active", {"slug": "member"}, [{"slug": "member"}])
    assert shown["organization_name"] == "Northern Anchor"
    assert shown["user"]["first_name"] == "Ada"


async def test_list_needs_a_filter(workos: WorkOS) -> None:
    """Without user or organization the answer is a 400 with a code."""
    assert (await workos.get(MEMBERSHIPS, 400))["code"] == "missing_user_id_or_organization_id"


async def test_list_shows_active_ones_unless_told(workos: WorkOS) -> None:
    """`statuses` widens the list, for an organization as for a user."""
    one, two = await join(workos), await join(workos, "eva@example.com")
    await workos.send("PUT", f"{MEMBERSHIPS}/{one['id']}/deactivate")
    for key, all_of_it in (("organization_id", [one, two]), ("user_id", [one])):
        everything = await workos.get(MEMBERSHIPS, **{key: one[key]}, statuses=EVERY_STATUS, order="asc")
        active = await workos.get(MEMBERSHIPS, **{key: one[key]})
        assert [item["id"] for item in everything["data"]] == [item["id"] for item in all_of_it]
        assert [item["id"] for item in active["data"]] == [item["id"] for item in all_of_it[1:]]
    await workos.get(MEMBERSHIPS, 422, user_id=one["user_id"], statuses="retired")


async def test_status_lists_add_up(crowd: WorkOS) -> None:
    """Every combination of statuses is the ascending union of its parts."""
    organization = (await crowd.get("/organizations"))["data"][0]["id"]

    async def ids(statuses: str) -> list[str]:
        page = await crowd.get(MEMBERSHIPS, organization_id=organization, statuses=statuses, limit=100, order="asc")
        return [item["id"] for item in page["data"]]

    assert await ids("active,inactive") == sorted(await ids("active") + await ids("inactive"))


async def test_role_changes(workos: WorkOS) -> None:
    """A role is changed by its slug; an unknown one, two of them or both ways at once are a 422."""
    membership = await join(workos)
    path = f"{MEMBERSHIPS}/{membership['id']}"
    assert (await workos.send("PUT", path, {"role_slug": "admin"}))["role"] == {"slug": "admin"}
    assert (await workos.send("PUT", path, {"role_slugs": ["viewer"]}))["roles"] == [{"slug": "viewer"}]
    assert (await workos.send("PUT", path, {"role_slug": "king"}, 422))["code"] == "invalid_role"
    assert (await workos.send("PUT", path, {"role_slugs": ["admin", "viewer"]}, 422))["code"] == (
        "multiple_roles_not_enabled"
    )
    await workos.send("PUT", path, {"role_slug": "admin", "role_slugs": ["admin"]}, 422)


async def test_deactivate_and_reactivate_are_told_once(workos: WorkOS) -> None:
    """A call that changes nothing answers 200 and emits nothing."""
    path = f"{MEMBERSHIPS}/{(await join(workos))['id']}"
    for verb, status in (("deactivate", "inactive"), ("reactivate", "active")):
        for _ in range(2):
            assert (await workos.send("PUT", f"{path}/{verb}"))["status"] == status
    events = await workos.events("organization_membership.updated")
    assert [event["data"]["status"] for event in events] == ["inactive", "active"]


async def test_joining_again_reactivates_the_same_membership(workos: WorkOS) -> None:
    """An inactive pair keeps its id and gets the new role; an active pair is refused."""
    membership = await join(workos)
    body = {"user_id": membership["user_id"], "organization_id": membership["organization_id"]}
    assert (await workos.send("POST", MEMBERSHIPS, body, 400))["code"] == "user_already_organization_member"
    await workos.send("PUT", f"{MEMBERSHIPS}/{membership['id']}/deactivate")
    again = await workos.send("POST", MEMBERSHIPS, body | {"role_slug": "admin"}, 201)
    assert (again["id"], again["status"], again["role"]) == (membership["id"], "active", {"slug": "admin"})


async def test_pending_ones_cannot_be_switched(crowd: WorkOS) -> None:
    """Both verbs and a second joining refuse with the codes of the specification."""
    one = await pending(crowd)
    path = f"{MEMBERSHIPS}/{one['id']}"
    for verb in ("deactivate", "reactivate"):
        body = await crowd.send("PUT", f"{path}/{verb}", status=400)
        assert body["code"] == f"cannot_{verb}_pending_organization_membership"
    again = {"user_id": one["user_id"], "organization_id": one["organization_id"]}
    await crowd.send("POST", MEMBERSHIPS, again, 400)


async def test_a_rejoin_after_deletion_is_a_new_membership(workos: WorkOS) -> None:
    """Ids are never used twice."""
    first = await join(workos)
    await workos.send("DELETE", f"{MEMBERSHIPS}/{first['id']}")
    await workos.send("DELETE", f"{MEMBERSHIPS}/{first['id']}", status=404)
    pair = {"id": first["user_id"]}, {"id": first["organization_id"]}
    assert (await workos.membership(*pair))["id"] != first["id"]
    kinds = [event["event"].rpartition(".")[2] for event in await workos.events(MEMBERSHIP_EVENTS)]
    assert kinds == ["created", "deleted", "created"]


@pytest.mark.parametrize("missing", ["user_id", "organization_id"])
async def test_both_parents_must_exist(workos: WorkOS, missing: str) -> None:
    """A parent left out is a 422, one that does not exist a 404."""
    body = {"user_id": (await workos.user())["id"], "organization_id": (await workos.organization())["id"]}
    await workos.send("POST", MEMBERSHIPS, body | {missing: "x_1"}, 404)
    del body[missing]
    await workos.send("POST", MEMBERSHIPS, body, 422)


async def test_a_deleted_user_takes_its_memberships_along(workos: WorkOS) -> None:
    """Children are told before their parent, and the organization lists them no more."""
    membership = await join(workos)
    await workos.send("DELETE", f"/user_management/users/{membership['user_id']}")
    events = await workos.events("organization_membership.deleted,user.deleted")
    assert [event["event"] for event in events] == ["organization_membership.deleted", "user.deleted"]
    page = await workos.get(MEMBERSHIPS, organization_id=membership["organization_id"], statuses=EVERY_STATUS)
    assert page["data"] == []
