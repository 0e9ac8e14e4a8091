from typing import Any, cast

import httpx
import pytest
from workos import AsyncWorkOSClient, BadRequestError, NotFoundError
from workos.events.models.event_schema import EventSchemaUnknown
from workos.organization_membership import RoleSingle

from user_management.tests.sandbox.conftest import EVENTS, MEMBERSHIP_EVENTS, ORGANIZATION_EVENTS, WorkOS


def sdk(workos: WorkOS) -> AsyncWorkOSClient:
    """The official SDK, talking to the sandbox in this process."""
    return AsyncWorkOSClient(
        api_key="sk_sandbox",
        client_id="client_sandbox",
        base_url="http://workos.test",
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(workos.app)),
        max_retries=0,
    )


async def test_users(workos: WorkOS) -> None:
    """Create, get, update, list and delete, typed."""
    users = sdk(workos).user_management
    user = await users.create_user(email="ada@example.com", first_name="Ada", metadata={"a": "1"})
    changed = await users.update_user(user.id, last_name="Byrne")
    assert await users.get_user(user.id) == changed
    assert (changed.first_name, changed.last_name, changed.metadata) == ("Ada", "Byrne", {"a": "1"})
    assert (await users.list_users(email="ada@example.com")).data == [changed]
    await users.delete_user(user.id)
    with pytest.raises(NotFoundError, match="User not found"):
        await users.get_user(user.id)


async def test_auto_paging_meets_everyone(crowd: WorkOS) -> None:
    """The SDK's own iteration crosses pages and ends."""
    page = await sdk(crowd).user_management.list_users(limit=100, order="asc")
    assert len({user.id async for user in page.auto_paging_iter()}) == 300


async def test_organizations(workos: WorkOS) -> None:
    """Create, get by external id, update, list and delete, typed."""
    organizations = sdk(workos).organizations
    organization = await organizations.create_organization(name="Anchor", external_id="c-1")
    assert await organizations.get_organization_by_external_id("c-1") == organization
    changed = await organizations.update_organization(organization.id, name="Bridge")
    assert (await organizations.list_organizations(search="bridge")).data == [changed]
    await organizations.delete_organization(organization.id)
    assert (await organizations.list_organizations()).data == []


async def test_memberships(workos: WorkOS) -> None:
    """Create, update, deactivate, reactivate, list and delete, typed."""
    user, organization = await workos.user(), await workos.organization()
    memberships = sdk(workos).organization_membership
    one = await memberships.create_organization_membership(
        user_id=user["id"], organization_id=organization["id"], role=RoleSingle(role_slug="admin")
    )
    assert (one.role.slug, one.user.email) == ("admin", user["email"])
    await memberships.deactivate_organization_membership(one.id)
    statuses = cast("Any", ["active", "inactive", "pending"])  # plain strings: the enum is encoded wrongly
    page = await memberships.list_organization_memberships(user_id=user["id"], statuses=statuses)
    assert [item.status for item in page.data] == ["inactive"]
    assert (await memberships.reactivate_organization_membership(one.id)).status == "active"
    await memberships.delete_organization_membership(one.id)


async def test_roles_and_sessions(workos: WorkOS) -> None:
    """The SDK reads roles, signs in, lists sessions and ends them."""
    user, client = await workos.user(password="correct-horse"), sdk(workos)
    assert (await client.authorization.list_environment_roles()).data[0].slug == "admin"
    answer = await client.user_management.authenticate_with_password(email=user["email"], password="correct-horse")
    (session,) = (await client.user_management.list_sessions(user["id"])).data
    assert (answer.user.id, session.status) == (user["id"], "active")
    await client.user_management.revoke_session(session_id=session.id)
    assert (await client.user_management.list_sessions(user["id"])).data == []


async def test_events(crowd: WorkOS) -> None:
    """The typed feed understands every event of much activity."""
    crowd.app.state.activity.burst(700)
    kinds = f"{EVENTS},{ORGANIZATION_EVENTS},{MEMBERSHIP_EVENTS}".split(",")
    page = await sdk(crowd).events.list_events(events=kinds, limit=100)
    events = [event async for event in page.auto_paging_iter()]
    assert len(events) == sum(kind in kinds for kind in crowd.app.state.store.feed.types) > 400
    assert not any(isinstance(event, EventSchemaUnknown) for event in events)


async def test_errors_are_typed(workos: WorkOS) -> None:
    """The SDK sees the code of a refusal."""
    await workos.user()
    with pytest.raises(BadRequestError) as refused:
        await sdk(workos).user_management.create_user(email="ada@example.com")
    assert refused.value.code == "user_creation_error"
