from typing import Any

import pytest

from user_management.tests.sandbox.conftest import ORGANIZATION_EVENTS, Start, WorkOS

ORGANIZATIONS = "/organizations"
DOMAIN_EVENTS = "organization_domain.created,organization_domain.deleted"


async def test_created_is_readable_by_id_and_external_id(workos: WorkOS) -> None:
    """A new organization has its domains, with their states."""
    organization = await workos.organization(
        external_id="c-1", domain_data=[{"domain": "Anchor.example", "state": "pending"}], metadata={"tier": "gold"}
    )
    assert [(one["domain"], one["state"]) for one in organization["domains"]] == [("anchor.example", "pending")]
    assert await workos.get(f"{ORGANIZATIONS}/{organization['id']}") == organization
    assert await workos.get(f"{ORGANIZATIONS}/external_id/c-1") == organization
    assert len(await workos.events(DOMAIN_EVENTS)) == 1


async def test_missing_organization_is_404(workos: WorkOS) -> None:
    """By id or by external id."""
    body = await workos.get(f"{ORGANIZATIONS}/org_x", 404)
    assert body == {"message": "Organization not found: 'org_x'."}
    await workos.get(f"{ORGANIZATIONS}/external_id/c-x", 404)


async def test_update_merges_and_replaces(workos: WorkOS) -> None:
    """Metadata is merged, domains are replaced, `stripe_customer_id` is left out when it is cleared."""
    organization = await workos.organization(metadata={"a": "1"}, domains=["one.example", "two.example"])
    path = f"{ORGANIZATIONS}/{organization['id']}"
    body = {"domain_data": [{"domain": "two.example", "state": "verified"}], "stripe_customer_id": "cus_1"}
    changed = await workos.send("PUT", path, body | {"metadata": {"b": "2"}})
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert changed["domains"] == organization["domains"][1:]
    assert changed["stripe_customer_id"] == "cus_1"
    assert "stripe_customer_id" not in await workos.send("PUT", path, {"stripe_customer_id": None})
    assert len(await workos.events("organization.updated")) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"external_id": "c-1"}, 400),
        ({"domain_data": [{"domain": "one.example", "state": "verified"}]}, 409),
        ({"domain_data": [{"domain": "x.example", "state": "odd"}]}, 422),
        ({"domain_data": ["x.example"]}, 422),
        ({"domains": [5]}, 422),
        ({"name": " "}, 422),
        ({"metadata": {"": "x"}}, 400),
    ],
)
async def test_refusals(workos: WorkOS, body: dict[str, Any], status: int) -> None:
    """What belongs to another organization or has the wrong shape is refused, and nothing is created."""
    await workos.organization("First", external_id="c-1", domains=["one.example"])
    await workos.send("POST", ORGANIZATIONS, {"name": "Second", **body}, status)
    assert len(await workos.events(ORGANIZATION_EVENTS)) == 1


async def test_filters(workos: WorkOS) -> None:
    """`domains` finds the owners, `search` looks into the names."""
    one = await workos.organization("Red Harbor", domains=["red.example"])
    two = await workos.organization("Blue Harbor", domains=["blue.example"])
    found = await workos.get(ORGANIZATIONS, domains="red.example,blue.example,none.example", order="asc")
    assert [item["id"] for item in found["data"]] == [one["id"], two["id"]]
    assert [item["id"] for item in (await workos.get(ORGANIZATIONS, search="blue"))["data"]] == [two["id"]]


@pytest.mark.parametrize("told", [True, False])
async def test_deletion_takes_the_memberships_along(start: Start, told: bool) -> None:
    """Children go first, with events or, as nobody knows what production does, without."""
    workos = start(cascade_events=told)
    organization = await workos.organization(domains=["one.example"])
    membership = await workos.membership(await workos.user(), organization)
    await workos.send("DELETE", f"{ORGANIZATIONS}/{organization['id']}")
    await workos.get(f"/user_management/organization_memberships/{membership['id']}", 404)
    events = await workos.events("organization_membership.deleted,organization.deleted")
    children = ["organization_membership.deleted"] if told else []
    assert [event["event"] for event in events] == [*children, "organization.deleted"]
    await workos.organization("Next", domains=["one.example"])
