from typing import Any

from user_management.tests.sandbox.conftest import Watch, WorkOS

FLAGS = "/feature-flags"
EVENTS = "flag.created,flag.updated,flag.deleted,flag.rule_updated"


async def made(workos: WorkOS) -> Any:
    """A new flag."""
    return await workos.send("POST", "/_sandbox/flags", {"slug": "dark", "name": "Dark"}, 201)


async def test_flags_are_read_by_slug_and_switched(workos: WorkOS, watch: Watch) -> None:
    """Turning one on is told once, with who did it."""
    flag = await made(workos)
    assert (await workos.get(FLAGS))["data"] == [flag] == [await workos.get(f"{FLAGS}/dark")]
    watch.forward(seconds=1)
    on = await workos.send("PUT", f"{FLAGS}/dark/enable")
    assert await workos.send("PUT", f"{FLAGS}/dark/enable") == on
    _, event = await workos.events(EVENTS)
    assert event["data"].items() >= on.items()
    assert event["context"]["client_id"] == "client_sandbox"
    assert set(event["context"]["actor"]) == {"id", "source", "name"}
    assert event["context"]["previous_attributes"] == {"data": {"enabled": False}}
    await workos.get(f"{FLAGS}/light", 404)


async def test_targets_see_a_flag_that_is_on(workos: WorkOS) -> None:
    """Users and organizations one by one; the event tells the rule and the one before."""
    user, organization = await workos.user(), await workos.organization()
    await made(workos)
    for target in (user, organization):
        await workos.send("POST", f"{FLAGS}/dark/targets/{target['id']}", status=204)
    of_user = f"/user_management/users/{user['id']}/feature-flags"
    assert (await workos.get(of_user))["data"] == []
    await workos.send("PUT", f"{FLAGS}/dark/enable")
    for path in (of_user, f"/organizations/{organization['id']}/feature-flags"):
        assert [flag["slug"] for flag in (await workos.get(path))["data"]] == ["dark"]
    context = (await workos.events("flag.rule_updated"))[-1]["context"]
    users = [{"id": user["id"], "email": user["email"]}]
    organizations = [{"id": organization["id"], "name": organization["name"]}]
    assert context["configured_targets"] == {"users": users, "organizations": organizations}
    before = {"access_type": "some", "configured_targets": {"users": users, "organizations": []}}
    assert (context["access_type"], context["previous_attributes"]) == ("some", {"context": before})
    await workos.send("DELETE", f"{FLAGS}/dark/targets/{user['id']}", status=204)
    assert (await workos.get(of_user))["data"] == []
    await workos.send("DELETE", f"{FLAGS}/dark/targets/{user['id']}", status=404)


async def test_the_dashboard_does_the_rest(workos: WorkOS) -> None:
    """It renames, opens to everybody and deletes; each is told."""
    await made(workos)
    organization = await workos.organization()
    await workos.send("PATCH", "/_sandbox/flags/dark", {"name": "Darker", "enabled": True})
    await workos.send("PUT", "/_sandbox/flags/dark/rule", {"access_type": "all"})
    await workos.send("PUT", "/_sandbox/flags/dark/rule", {"access_type": "many"}, 422)
    seen = (await workos.get(f"/organizations/{organization['id']}/feature-flags"))["data"]
    assert [flag["name"] for flag in seen] == ["Darker"]
    await workos.send("DELETE", "/_sandbox/flags/dark", status=204)
    kinds = [event["event"] for event in await workos.events(EVENTS)]
    assert kinds == ["flag.created", "flag.updated", "flag.rule_updated", "flag.deleted"]
