from typing import Any

from user_management.tests.sandbox.conftest import WorkOS

EVENTS = "connection.activated,connection.deactivated,connection.deleted"


async def drafted(workos: WorkOS) -> Any:
    """A new connection of an organization with a domain."""
    data = [{"domain": "anchor.example", "state": "verified"}]
    organization = await workos.organization(domain_data=data)
    body = {"organization_id": organization["id"], "connection_type": "OktaSAML"}
    return await workos.send("POST", "/_sandbox/connections", body, 201)


async def test_the_dashboard_switches_a_connection(workos: WorkOS) -> None:
    """A draft is told by nobody; going on and off is told once each."""
    connection = await drafted(workos)
    path = f"/_sandbox/connections/{connection['id']}"
    for _ in range(2):
        await workos.send("POST", f"{path}/activate")
    changed = await workos.send("POST", f"{path}/deactivate")
    on, off = await workos.events(EVENTS)
    assert (on["event"], on["data"]["state"], on["data"]["status"]) == ("connection.activated", "active", "linked")
    assert off["data"].items() >= changed.items()
    assert set(on["data"]) - set(changed) == {"external_key"}


async def test_the_end_of_a_connection_is_told_in_fewer_words(workos: WorkOS) -> None:
    """The event carries the state it was in, but neither domains nor key nor status."""
    connection = await drafted(workos)
    await workos.send("POST", f"/_sandbox/connections/{connection['id']}/activate")
    await workos.send("DELETE", f"/connections/{connection['id']}", status=204)
    data = (await workos.events(EVENTS))[-1]["data"]
    assert (data["state"], connection.keys() - data.keys()) == ("active", {"domains", "status"})
    await workos.get(f"/connections/{connection['id']}", 404)


async def test_lists_narrow(workos: WorkOS) -> None:
    """By organization, type, domain and name; a deleted organization takes its connections along, silently."""
    connection = await drafted(workos)
    for name, value, other in (
        ("organization_id", connection["organization_id"], "org_x"),
        ("connection_type", "OktaSAML", "GoogleSAML"),
        ("domain", "anchor.example", "x.example"),
        ("search", "anchor okta", "bridge"),
    ):
        assert (await workos.get(f"/connections?{name}={value}"))["data"] == [connection]
        assert (await workos.get(f"/connections?{name}={other}"))["data"] == []
    await workos.send("DELETE", f"/organizations/{connection['organization_id']}")
    assert (await workos.get("/connections"))["data"] == []
    assert await workos.events(EVENTS) == []
