from typing import Any

import pytest

from user_management.tests.sandbox.conftest import Start, Watch, WorkOS
from user_management.tests.sandbox.signing_in import EMAIL, PASSWORD, URN, enter, kinds, letter

MAGIC = f"{URN}magic-auth:code"
VERIFICATION = f"{URN}email-verification:code"
SELECTION = f"{URN}organization-selection"


async def test_every_attempt_is_an_event(workos: WorkOS) -> None:
    """Right or wrong, an attempt is told, with neither an id nor times of its own."""
    user = await workos.user(password=PASSWORD)
    await enter(workos, ip_address="192.0.2.7", user_agent="Firefox")
    await enter(workos, status=400, email="nobody@example.com")
    succeeded, failed = await workos.events("authentication.password_succeeded,authentication.password_failed")
    known = {"ip_address": "192.0.2.7", "user_agent": "Firefox", "user_id": user["id"], "email": EMAIL}
    assert succeeded["data"] == {"type": "password", "status": "succeeded", **known}
    unknown = {"ip_address": None, "user_agent": None, "user_id": None, "email": "nobody@example.com"}
    error = {"code": "invalid_credentials", "message": "Invalid credentials."}
    assert failed["data"] == {"type": "password", "status": "failed", **unknown, "error": error}


async def test_an_unverified_address_is_asked_for_a_code(start: Start) -> None:
    """Where the environment requires it, the password leads to a code, and the code to the session."""
    workos = start(require_verified_email=True)
    user = await workos.user(password=PASSWORD)
    asked = await enter(workos, status=403)
    assert (asked["code"], asked["email"]) == ("email_verification_required", EMAIL)
    verification = await workos.get(f"/user_management/email_verification/{asked['email_verification_id']}")
    proof = {"pending_authentication_token": asked["pending_authentication_token"], "code": verification["code"]}
    answer = await enter(workos, VERIFICATION, **proof)
    assert (answer["user"]["id"], answer["user"]["email_verified"]) == (user["id"], True)
    assert answer["authentication_method"] == "Password"
    again = await enter(workos, VERIFICATION, 400, **proof)
    assert again["code"] == "invalid_pending_authentication_token"
    assert await kinds(workos) == [
        "user.created",
        "authentication.password_succeeded",
        "email_verification.created",
        "user.updated",
        "authentication.email_verification_succeeded",
        "session.created",
    ]
    await enter(workos)


async def test_a_wrong_code_leaves_the_sign_in_pending(start: Start, watch: Watch) -> None:
    """Whoever mistypes may try again, but not after ten minutes."""
    workos = start(require_verified_email=True)
    await workos.user(password=PASSWORD)
    token = (await enter(workos, status=403))["pending_authentication_token"]
    code = (await letter(workos))["code"]
    wrong = await enter(workos, VERIFICATION, 400, pending_authentication_token=token, code="nonsense")
    assert wrong["code"] == "invalid_one_time_code"
    watch.forward(minutes=10)
    late = await enter(workos, VERIFICATION, 400, pending_authentication_token=token, code=code)
    assert late["code"] == "invalid_pending_authentication_token"


async def test_a_member_of_several_organizations_chooses_one(workos: WorkOS) -> None:
    """The choice is named with the organizations; a wrong one may be mended, the right one makes the session."""
    user, anchor = await workos.user(password=PASSWORD), await workos.organization()
    bridge, other = await workos.organization("Bridge"), await workos.organization("Other")
    for organization in (anchor, bridge):
        await workos.membership(user, organization)
    asked = await enter(workos, status=403)
    named = [{"id": one["id"], "name": one["name"]} for one in (anchor, bridge)]
    assert (asked["code"], asked["organizations"]) == ("organization_selection_required", named)
    assert asked["user"] == {name: value for name, value in user.items() if name != "metadata"}
    token = {"pending_authentication_token": asked["pending_authentication_token"]}
    wrong = await enter(workos, SELECTION, 400, organization_id=other["id"], **token)
    assert wrong["error"] == "organization_membership_not_found"
    assert (await enter(workos, SELECTION, 400, organization_id="org_x", **token))["error"] == "organization_not_found"
    answer = await enter(workos, SELECTION, organization_id=bridge["id"], **token)
    assert answer["organization_id"] == bridge["id"]
    (event,) = await workos.events("session.created")
    assert event["data"]["organization_id"] == bridge["id"]
    await enter(workos, SELECTION, 400, organization_id=bridge["id"], **token)


async def test_the_rules_can_be_changed_while_it_runs(workos: WorkOS) -> None:
    """A rule that is told holds from then on, and one that is not stays."""
    user = await workos.user(password=PASSWORD)
    for name in ("Anchor", "Bridge"):
        await workos.membership(user, await workos.organization(name))
    rules = await workos.send("PUT", "/_sandbox/sign-in-rules", {"require_organization": False})
    assert rules == {"require_verified_email": False, "require_organization": False}
    assert "organization_id" not in await enter(workos)
    await workos.send("PUT", "/_sandbox/sign-in-rules", {"require_verified_email": True})
    assert (await enter(workos, status=403))["code"] == "email_verification_required"
    assert (await workos.get("/_sandbox"))["config"]["require_verified_email"] is True


async def magic_code(workos: WorkOS) -> str:
    """A code for Ada, fresh from the mail."""
    return str((await workos.send("POST", "/user_management/magic_auth", {"email": EMAIL}, 201))["code"])


async def test_a_magic_code_signs_in_and_verifies(workos: WorkOS) -> None:
    """Whoever reads the mail owns the address: the first sign-in verifies it, the second changes nothing."""
    await workos.user()
    first = await enter(workos, MAGIC, email="ADA@example.com", code=await magic_code(workos))
    await enter(workos, MAGIC, email=EMAIL, code=await magic_code(workos))
    assert (first["user"]["email_verified"], first["authentication_method"]) == (True, "MagicAuth")
    sign_in = ["authentication.magic_auth_succeeded", "session.created"]
    assert await kinds(workos) == [
        "user.created",
        *["magic_auth.created", "user.updated", *sign_in],
        *["magic_auth.created", *sign_in],
    ]
    assert (await workos.events("session.created"))[0]["data"]["auth_method"] == "magic_code"


async def test_a_magic_code_works_once_and_for_ten_minutes(workos: WorkOS, watch: Watch) -> None:
    """One that was used and one that came too late are told apart."""
    await workos.user()
    code = await magic_code(workos)
    await enter(workos, MAGIC, email=EMAIL, code=code)
    used = await enter(workos, MAGIC, 400, email=EMAIL, code=code)
    code = await magic_code(workos)
    watch.forward(minutes=10)
    late = await enter(workos, MAGIC, 400, email=EMAIL, code=code)
    assert (used["code"], late["code"]) == ("one_time_code_previously_used", "one_time_code_expired")


async def test_a_magic_code_cannot_be_guessed(workos: WorkOS) -> None:
    """After five wrong guesses the right one is refused too, and each is an event."""
    await workos.user()
    code = await magic_code(workos)
    for _ in range(5):
        assert (await enter(workos, MAGIC, 400, email=EMAIL, code="x"))["code"] == "invalid_one_time_code"
    refused = await enter(workos, MAGIC, 400, email=EMAIL, code=code)
    assert refused["code"] == "one_time_code_too_many_attempts"
    failures = await workos.events("authentication.magic_auth_failed")
    assert failures[-1]["data"]["error"] == refused
    assert len(failures) == 6


async def test_only_the_newest_magic_code_works(workos: WorkOS) -> None:
    """Who asks again cannot use what came before, and one who never asked has nothing to use."""
    await workos.user()
    old, new = await magic_code(workos), await magic_code(workos)
    refused = await enter(workos, MAGIC, 400, email=EMAIL, code=old)
    nobody = await enter(workos, MAGIC, 400, email="eva@example.com", code=new)
    assert refused["code"] == nobody["code"] == "invalid_one_time_code"
    await enter(workos, MAGIC, email=EMAIL, code=new)


async def test_a_refresh_token_works_once(workos: WorkOS) -> None:
    """Each answer carries the next token; the session is the same, and no event tells of it."""
    await workos.user(password=PASSWORD)
    first = (await enter(workos))["refresh_token"]
    before = await kinds(workos)
    second = (await enter(workos, "refresh_token", refresh_token=first))["refresh_token"]
    again = await enter(workos, "refresh_token", 400, refresh_token=first)
    assert again == {"error": "invalid_grant", "error_description": "Refresh token already exchanged."}
    await enter(workos, "refresh_token", refresh_token=second)
    assert await kinds(workos) == before


@pytest.mark.parametrize("end", ["revoke", "deactivate", "expire", "delete"])
async def test_a_refresh_token_ends_with_its_session(workos: WorkOS, watch: Watch, end: str) -> None:
    """However a session ends, nothing refreshes it."""
    user, organization = await workos.user(password=PASSWORD), await workos.organization()
    membership = await workos.membership(user, organization)
    token = (await enter(workos))["refresh_token"]
    (session,) = (await workos.get(f"/user_management/users/{user['id']}/sessions"))["data"]
    path = f"/user_management/organization_memberships/{membership['id']}/deactivate"
    if end == "revoke":
        await workos.send("POST", "/user_management/sessions/revoke", {"session_id": session["id"]})
    elif end == "deactivate":
        await workos.send("PUT", path)
    elif end == "expire":
        watch.forward(days=7)
    else:
        await workos.send("DELETE", f"/user_management/users/{user['id']}")
    assert (await enter(workos, "refresh_token", 400, refresh_token=token))["error"] == "invalid_grant"


async def test_a_refresh_may_switch_the_organization(workos: WorkOS) -> None:
    """To one the user is a member of, for good; a refusal costs nothing, and the session's object stays."""
    user = await workos.user(password=PASSWORD)
    anchor, bridge = await workos.organization("Anchor"), await workos.organization("Bridge")
    await workos.membership(user, anchor)
    token = (await enter(workos))["refresh_token"]
    body = {"refresh_token": token, "organization_id": bridge["id"]}
    refused = await enter(workos, "refresh_token", 400, **body)
    assert refused["error"] == "organization_membership_not_found"
    await workos.membership(user, bridge)
    switched = await enter(workos, "refresh_token", **body)
    stayed = await enter(workos, "refresh_token", refresh_token=switched["refresh_token"])
    assert switched["organization_id"] == stayed["organization_id"] == bridge["id"]
    (session,) = (await workos.get(f"/user_management/users/{user['id']}/sessions"))["data"]
    assert session["organization_id"] == anchor["id"]


@pytest.mark.parametrize(
    "grant", ["authorization_code", f"{URN}mfa-totp", "urn:ietf:params:oauth:grant-type:device_code"]
)
async def test_what_needs_a_browser_or_a_second_factor_is_refused(workos: WorkOS, grant: str) -> None:
    """The sandbox says plainly that it has neither."""
    assert (await enter(workos, grant, 400, code="1"))["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("grant", "fields"),
    [
        ("refresh_token", {}),
        (MAGIC, {"email": EMAIL}),
        (VERIFICATION, {"code": "1"}),
        (SELECTION, {"organization_id": "org_x"}),
        (MAGIC, {"email": EMAIL, "code": 123456}),
    ],
)
async def test_what_a_grant_needs_must_be_there(workos: WorkOS, grant: str, fields: dict[str, Any]) -> None:
    """A field that is missing or of the wrong type is a 422."""
    assert (await enter(workos, grant, 422, **fields))["code"] == "invalid_request_parameters"


async def test_a_pending_sign_in_may_be_tried_ten_times_a_minute(start: Start) -> None:
    """The limit counts per pending sign-in where there is no address."""
    workos = start(require_verified_email=True)
    await workos.user(password=PASSWORD)
    token = (await enter(workos, status=403))["pending_authentication_token"]
    for _ in range(10):
        await enter(workos, VERIFICATION, 400, pending_authentication_token=token, code="nonsense")
    await enter(workos, VERIFICATION, 429, pending_authentication_token=token, code="nonsense")
