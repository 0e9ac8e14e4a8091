from typing import Any

import pytest

from user_management.tests.sandbox.conftest import Watch, WorkOS

INVITATIONS = "/user_management/invitations"
EVENTS = "invitation.created,invitation.accepted,invitation.resent,invitation.revoked"
VERBS = ("accept", "resend", "revoke")


async def invited(workos: WorkOS, status: int = 201, **fields: Any) -> Any:
    """The answer to an invitation of Ada."""
    return await workos.send("POST", INVITATIONS, {"email": "ada@example.com", **fields}, status)


async def test_only_the_api_tells_the_token(workos: WorkOS) -> None:
    """A new invitation is pending for a week, and its event has neither token nor address."""
    invitation = await invited(workos)
    assert (invitation["state"], invitation["expires_at"]) == ("pending", "2026-03-08T12:00:00.000Z")
    (event,) = await workos.events(EVENTS)
    assert set(invitation) - set(event["data"]) == {"token", "accept_invitation_url"}
    assert invitation["token"] in invitation["accept_invitation_url"]
    assert await workos.get(f"{INVITATIONS}/by_token/{invitation['token']}") == invitation
    await workos.get(f"{INVITATIONS}/by_token/unknown", 404)


async def test_acceptance_makes_a_member(workos: WorkOS) -> None:
    """The user of the address joins with the role offered; nobody is signed in."""
    user, organization = await workos.user(), await workos.organization()
    invitation = await invited(workos, organization_id=organization["id"], role_slug="admin")
    accepted = await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/accept")
    assert (accepted["state"], accepted["accepted_user_id"]) == ("accepted", user["id"])
    assert accepted["accepted_at"] == "2026-03-01T12:00:00.000Z"
    members = (await workos.get("/user_management/organization_memberships", user_id=user["id"]))["data"]
    assert [(one["status"], one["role"]["slug"]) for one in members] == [("active", "admin")]
    kinds = [event["event"] for event in await workos.events(f"{EVENTS},organization_membership.created")]
    assert kinds == ["invitation.created", "organization_membership.created", "invitation.accepted"]
    assert await workos.events("session.created") == []


async def test_acceptance_activates_who_was_inactive(workos: WorkOS) -> None:
    """The membership keeps its id."""
    user, organization = await workos.user(), await workos.organization()
    membership = await workos.membership(user, organization)
    path = f"/user_management/organization_memberships/{membership['id']}"
    await workos.send("PUT", f"{path}/deactivate")
    invitation = await invited(workos, organization_id=organization["id"])
    await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/accept")
    assert (await workos.get(path))["status"] == "active"


async def test_nobody_accepts_for_a_stranger(workos: WorkOS) -> None:
    """Without a user of the address there is nobody to join."""
    invitation = await invited(workos)
    refused = await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/accept", status=400)
    assert refused["code"] == "invalid_invite"


async def test_expiry_is_silent(workos: WorkOS, watch: Watch) -> None:
    """Time makes a pending invitation expired, without an event and without moving `updated_at`."""
    invitation = await invited(workos, expires_in_days=1)
    watch.forward(days=1)
    expired = await workos.get(f"{INVITATIONS}/{invitation['id']}")
    assert expired == invitation | {"state": "expired"}
    assert [one["state"] for one in (await workos.get(INVITATIONS))["data"]] == ["expired"]
    assert len(await workos.events(EVENTS)) == 1
    codes = [
        (await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/{verb}", status=400))["code"] for verb in VERBS
    ]
    assert codes == ["invite_not_pending", "invite_expired", "invite_not_pending"]
    await invited(workos)


async def test_resent_and_revoked(workos: WorkOS, watch: Watch) -> None:
    """Each is told once; a revoked invitation stays revoked."""
    invitation = await invited(workos)
    watch.forward(minutes=1)
    resent = await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/resend")
    revoked = await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/revoke")
    assert resent["updated_at"] == revoked["revoked_at"] == "2026-03-01T12:01:00.000Z"
    kinds = [event["event"] for event in await workos.events(EVENTS)]
    assert kinds == ["invitation.created", "invitation.resent", "invitation.revoked"]
    refused = await workos.send("POST", f"{INVITATIONS}/{invitation['id']}/resend", status=400)
    assert refused["code"] == "invite_revoked"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"expires_in_days": 0}, 400, "expires_in_days_too_short"),
        ({"expires_in_days": 31}, 400, "expires_in_days_too_long"),
        ({"role_slug": "king"}, 400, "invalid_role"),
        ({"email": "nowhere"}, 400, "invalid_email"),
        ({"email": 7}, 422, "invalid_request_parameters"),
        ({"organization_id": "org_x"}, 404, None),
        ({"inviter_user_id": "user_x"}, 404, None),
    ],
)
async def test_what_cannot_be_sent(workos: WorkOS, fields: Any, status: int, code: str | None) -> None:
    """Refusals have the codes WorkOS documents."""
    assert (await invited(workos, status, **fields)).get("code") == code


async def test_nobody_is_invited_twice(workos: WorkOS) -> None:
    """One pending invitation each to the application and to an organization; none for who is in already."""
    organization = await workos.organization()
    for fields in ({}, {"organization_id": organization["id"]}):
        await invited(workos, **fields)
    codes = [(await invited(workos, 400, **fields))["code"] for fields in ({}, {"organization_id": organization["id"]})]
    assert codes == ["email_already_invited", "email_already_invited_to_organization"]
    await workos.membership(await workos.user(), organization)
    codes = [(await invited(workos, 400, **fields))["code"] for fields in ({}, {"organization_id": organization["id"]})]
    assert codes == ["user_already_exists", "user_already_organization_member"]


async def test_lists_are_of_an_address_or_an_organization(workos: WorkOS) -> None:
    """Both filters narrow the list; a deleted organization takes its invitations with it, silently."""
    organization = await workos.organization()
    theirs = await invited(workos, organization_id=organization["id"])
    mine = await invited(workos, email="grace@example.com")
    assert (await workos.get(INVITATIONS, organization_id=organization["id"]))["data"] == [theirs]
    assert (await workos.get(INVITATIONS, email="Grace@example.com"))["data"] == [mine]
    await workos.send("DELETE", f"/organizations/{organization['id']}")
    assert (await workos.get(INVITATIONS))["data"] == [mine]
    assert len(await workos.events(EVENTS)) == 2
