"""The official SDK signs people up and in: every reply parses into its models, every continuation into its errors."""

import pytest
from workos import BadRequestError, ConflictError, NotFoundError
from workos._errors import EmailVerificationRequiredError, OrganizationSelectionRequiredError
from workos.events.models.event_schema import EventSchemaUnknown

from user_management.tests.sandbox.conftest import Start, WorkOS
from user_management.tests.sandbox.signing_in import EMAIL, PASSWORD, letter
from user_management.tests.sandbox.test_sdk import sdk


async def test_magic_auth(workos: WorkOS) -> None:
    """A code is made, read again, and signs in."""
    users = sdk(workos).user_management
    made = await users.create_magic_auth(email=EMAIL)
    assert (await users.get_magic_auth(made.id)).code == made.code
    answer = await users.authenticate_with_magic_auth(email=EMAIL, code=made.code)
    assert (answer.user.id, answer.authentication_method) == (made.user_id, "MagicAuth")
    again = await users.authenticate_with_refresh_token(refresh_token=answer.refresh_token)
    assert again.refresh_token != answer.refresh_token
    assert [key.alg for key in (await users.get_jwks("client_sandbox")).keys] == ["RS256"]


async def test_email_verification_continues_a_sign_in(start: Start) -> None:
    """The SDK's error carries what the next step needs."""
    workos = start(require_verified_email=True)
    users = sdk(workos).user_management
    await workos.user(password=PASSWORD)
    with pytest.raises(EmailVerificationRequiredError) as asked:
        await users.authenticate_with_password(email=EMAIL, password=PASSWORD)
    code = (await users.get_email_verification(str(asked.value.email_verification_id))).code
    token = str(asked.value.pending_authentication_token)
    answer = await users.authenticate_with_email_verification(code=code, pending_authentication_token=token)
    assert (asked.value.email, answer.user.email_verified) == (EMAIL, True)


async def test_organization_selection_continues_a_sign_in(workos: WorkOS) -> None:
    """The SDK's error names the organizations."""
    user, users = await workos.user(password=PASSWORD), sdk(workos).user_management
    for name in ("Anchor", "Bridge"):
        await workos.membership(user, await workos.organization(name))
    with pytest.raises(OrganizationSelectionRequiredError) as asked:
        await users.authenticate_with_password(email=EMAIL, password=PASSWORD)
    first, second = asked.value.organizations or []
    token = str(asked.value.pending_authentication_token)
    answer = await users.authenticate_with_organization_selection(
        pending_authentication_token=token, organization_id=second["id"]
    )
    switched = await users.authenticate_with_refresh_token(
        refresh_token=answer.refresh_token, organization_id=first["id"]
    )
    assert (answer.organization_id, switched.organization_id) == (second["id"], first["id"])


async def test_verifying_resetting_and_changing(workos: WorkOS) -> None:
    """The address is verified and changed, the password reset, and identities are read."""
    user, users = await workos.user(), sdk(workos).user_management
    assert (await users.send_verification_email(user["id"])).user.id == user["id"]
    code = (await letter(workos))["code"]
    assert (await users.verify_email(user["id"], code=code)).user.email_verified
    reset = await users.reset_password(email=EMAIL)
    assert (await users.get_password_reset(reset.id)) == reset
    done = await users.confirm_password_reset(token=reset.password_reset_token, new_password=PASSWORD)
    change = await users.send_email_change(user["id"], new_email="eva@example.com")
    code = (await letter(workos, "eva@example.com"))["code"]
    confirmed = await users.confirm_email_change(user["id"], code=code)
    assert (done.user.email, change.new_email, confirmed.user.email) == (EMAIL, "eva@example.com", "eva@example.com")
    assert await users.get_user_identities(user["id"]) == []


async def test_refusals_are_typed(workos: WorkOS) -> None:
    """Codes of both families reach the caller."""
    user, users = await workos.user(), sdk(workos).user_management
    with pytest.raises(BadRequestError) as refused:
        await users.authenticate_with_refresh_token(refresh_token="nonsense")
    assert refused.value.error == "invalid_grant"
    with pytest.raises(BadRequestError) as refused:
        await users.authenticate_with_magic_auth(email=EMAIL, code="nonsense")
    assert refused.value.code == "invalid_one_time_code"
    with pytest.raises(ConflictError) as conflict:
        await users.confirm_email_change(user["id"], code="nonsense")
    assert conflict.value.code == "no_pending_email_change"
    with pytest.raises(NotFoundError):
        await users.reset_password(email="nobody@example.com")


async def test_events_are_typed(workos: WorkOS) -> None:
    """The typed feed understands every event that signing in causes."""
    users, feed = sdk(workos).user_management, workos.app.state.store.feed
    code = (await users.create_magic_auth(email=EMAIL)).code
    with pytest.raises(BadRequestError):
        await users.authenticate_with_magic_auth(email=EMAIL, code="nonsense")
    await users.authenticate_with_magic_auth(email=EMAIL, code=code)
    await users.reset_password(email=EMAIL)
    page = await sdk(workos).events.list_events(events=[*dict.fromkeys(feed.types)], limit=100)
    assert len(page.data) == len(feed) == 7
    assert not any(isinstance(event, EventSchemaUnknown) for event in page.data)
