from typing import Any

import pytest

from user_management.sandbox.sessions import SEEDED_PASSWORD
from user_management.tests.sandbox.conftest import Watch, WorkOS

AUTHENTICATE = "/user_management/authenticate"


def credentials(email: str = "ada@example.com", **changes: Any) -> dict[str, Any]:
    """What a client sends to sign in."""
    client = {"client_id": "client_sandbox", "client_secret": "sk_sandbox", "grant_type": "password"}
    return client | {"email": email, "password": "correct-horse"} | changes


async def test_sign_in_moves_last_sign_in_at_and_nothing_else(workos: WorkOS, watch: Watch) -> None:
    """Production emits session.created but no user.updated, and leaves `updated_at` alone."""
    user = await workos.user(password="correct-horse", metadata={"a": "1"})
    watch.forward(seconds=9)
    answer = await workos.send("POST", AUTHENTICATE, credentials("ADA@example.com"))
    shown = await workos.get(f"/user_management/users/{user['id']}")
    assert shown == user | {"last_sign_in_at": "2026-03-01T12:00:09.000Z"}
    assert "metadata" not in answer["user"]
    assert [event["event"] for event in await workos.events()] == ["user.created", "session.created"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"password": "wrong"}, {"code": "invalid_credentials"}),
        ({"email": "nobody@example.com"}, {"code": "invalid_credentials"}),
        ({"client_secret": "sk_other"}, {"error": "invalid_client"}),
        ({"client_id": "client_other"}, {"error": "invalid_client"}),
        ({"grant_type": "telepathy"}, {"error": "unsupported_grant_type"}),
    ],
)
async def test_refused_sign_ins_are_400(workos: WorkOS, changes: dict[str, str], problem: dict[str, str]) -> None:
    """A wrong password is a 400, not a 401; what is wrong with the client comes in the OAuth form."""
    await workos.user(password="correct-horse")
    body = await workos.send("POST", AUTHENTICATE, credentials(**changes), 400)
    assert body.items() >= problem.items()
    assert len(await workos.events()) == 1


async def test_seeded_users_share_a_password(crowd: WorkOS) -> None:
    """Whoever was seeded can sign in; whoever was created without a password cannot."""
    user = (await crowd.get("/user_management/users"))["data"][0]
    await crowd.send("POST", AUTHENTICATE, credentials(user["email"], password=SEEDED_PASSWORD))
    await crowd.user("new@example.com")
    await crowd.send("POST", AUTHENTICATE, credentials("new@example.com", password=SEEDED_PASSWORD), 400)


async def test_revoked_sessions_leave_the_list(workos: WorkOS) -> None:
    """The list shows active sessions only; the end of one is an event, and there is no second end."""
    user = await workos.user(password="correct-horse")
    for _ in range(2):
        await workos.send("POST", AUTHENTICATE, credentials())
    path = f"/user_management/users/{user['id']}/sessions"
    newest, oldest = (await workos.get(path))["data"]
    await workos.send("POST", "/user_management/sessions/revoke", {"session_id": newest["id"]})
    await workos.send("POST", "/user_management/sessions/revoke", {"session_id": newest["id"]}, 400)
    assert (await workos.get(path))["data"] == [oldest]
    (event,) = await workos.events("session.revoked")
    assert (event["data"]["status"], event["data"]["ended_at"]) == ("revoked", "2026-03-01T12:00:00.000Z")


async def test_sessions_expire_without_a_word(workos: WorkOS, watch: Watch) -> None:
    """After a week a session is no longer active, and no event says so."""
    user = await workos.user(password="correct-horse")
    await workos.send("POST", AUTHENTICATE, credentials())
    watch.forward(days=8)
    assert (await workos.get(f"/user_management/users/{user['id']}/sessions"))["data"] == []
    assert await workos.events("session.revoked") == []


async def test_deactivation_revokes_the_sessions_of_the_organization(workos: WorkOS) -> None:
    """A session belongs to the user's only organization, and ends with the membership."""
    user, organization = await workos.user(password="correct-horse"), await workos.organization()
    membership = await workos.membership(user, organization)
    session = await workos.send("POST", AUTHENTICATE, credentials())
    assert session["organization_id"] == organization["id"]
    await workos.send("PUT", f"/user_management/organization_memberships/{membership['id']}/deactivate")
    events = await workos.events("session.revoked,organization_membership.updated")
    assert [event["event"] for event in events] == ["session.revoked", "organization_membership.updated"]


async def test_an_address_may_try_ten_times_a_minute(workos: WorkOS, watch: Watch) -> None:
    """The eleventh attempt is a 429, whatever the password; another address is not concerned."""
    for _ in range(10):
        await workos.send("POST", AUTHENTICATE, credentials(), 400)
    assert (await workos.send("POST", AUTHENTICATE, credentials(), 429))["code"] == "rate_limit_exceeded"
    await workos.send("POST", AUTHENTICATE, credentials("eva@example.com"), 400)
    watch.forward(seconds=60)
    await workos.send("POST", AUTHENTICATE, credentials(), 400)


async def test_sessions_of_nobody_are_404(workos: WorkOS) -> None:
    """The list belongs to a user who exists."""
    await workos.get("/user_management/users/user_x/sessions", 404)
