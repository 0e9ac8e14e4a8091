"""Changing a password: whoever does it knows the current one, and WorkOS is the judge of that."""

from typing import Any

import httpx
import pytest
import respx

from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.test_sign_in import EMAIL, PASSWORD, post, register, rules, sessions
from user_management.tests.web.test_writes import USER
from user_management.web import passwords

CHANGE = {"current_password": PASSWORD, "new_password": "battery staple, twice"}
KEY = {"Idempotency-Key": "first-try"}
AT = "/user_management/users/user_1"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzaWQiOiJzZXNzaW9uXzEifQ.c2ln"


async def change(api: httpx.AsyncClient, user: dict[str, Any], status: int = 200, **fields: Any) -> Any:
    """The user after a change of password, or the problem."""
    answer = await api.put(f"/api/users/{user['id']}/password", json=CHANGE | fields)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def ada(remote: respx.MockRouter) -> respx.MockRouter:
    """A WorkOS that has Ada, changes her, and ends sessions."""
    remote.get(AT).respond(json=USER)
    remote.put(AT, name="change").respond(json=USER)
    remote.post("/user_management/sessions/revoke", name="revoke").respond(200)
    return remote


async def test_whoever_knows_the_current_one_changes_it(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The old one is void, the new one works, and the session of the check is gone."""
    user = await register(api)
    assert (await change(api, user))["id"] == user["id"]
    assert await sessions(local, user) == []
    await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD}, 400)
    await post(api, "/api/auth/login", {"email": EMAIL, "password": CHANGE["new_password"]})


async def test_whoever_does_not_changes_nothing(api: httpx.AsyncClient) -> None:
    """WorkOS's refusal is theirs; no word of either password is in it."""
    user = await register(api)
    problem = await change(api, user, 400, current_password="a wrong guess")
    assert (problem["code"], "guess" in str(problem)) == ("invalid_credentials", False)
    await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD})


async def test_a_weak_new_one_is_for_workos_to_refuse(api: httpx.AsyncClient) -> None:
    """With its code and the reasons."""
    user = await register(api)
    problem = await change(api, user, 400, new_password="short")
    assert (problem["code"], len(problem["errors"])) == ("password_strength_error", 1)


async def test_nobody_s_password(api: httpx.AsyncClient) -> None:
    """Of a user whom WorkOS does not know."""
    await change(api, {"id": "user_nobody"}, 404)


async def test_who_must_choose_an_organization_has_the_right_password(
    api: httpx.AsyncClient, local: LocalWorkOS
) -> None:
    """WorkOS asks for that only after it, and opens no session."""
    user = await register(api)
    for name in ("Engines", "Looms"):
        await local.membership(user, await local.organization(name))
    await rules(local, require_organization=True)
    await change(api, user)
    assert await sessions(local, user) == []


@pytest.mark.parametrize("code", sorted(passwords.PROVEN))
async def test_what_comes_after_the_password_proves_it(
    afar: httpx.AsyncClient, ada: respx.MockRouter, code: str
) -> None:
    """A second factor is not asked of whoever changes a password."""
    ada.post("/user_management/authenticate").respond(403, json={"code": code, "message": "More."})
    await change(afar, USER)
    assert (ada.routes["change"].call_count, ada.routes["revoke"].call_count) == (1, 0)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "email_verification_required"), (403, "radar_email_challenge"), (403, "email_password_auth_disabled"),
        (403, "authentication_method_not_allowed"), (400, "sso_required"), (429, "rate_limit_exceeded"),
    ],
)  # fmt: skip
async def test_what_leaves_the_password_open_changes_nothing(
    afar: httpx.AsyncClient, ada: respx.MockRouter, status: int, code: str
) -> None:
    """The caller is told why, and not with which token a sign-in would go on."""
    body = {"code": code, "message": "More.", "pending_authentication_token": "pend1ng"}
    ada.post("/user_management/authenticate").respond(status, json=body)
    problem = await change(afar, USER, status)
    assert (problem["code"], "pend1ng" in str(problem)) == (code, False)
    assert ada.routes["change"].call_count == 0


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectError("away")])
async def test_without_an_answer_to_the_check_nothing_is_changed(
    afar: httpx.AsyncClient, ada: respx.MockRouter, error: Exception
) -> None:
    """That may be repeated."""
    ada.post("/user_management/authenticate").mock(side_effect=error)
    await change(afar, USER, 503)
    assert ada.routes["change"].call_count == 0


async def test_the_session_of_the_check_is_ended_by_its_token(afar: httpx.AsyncClient, ada: respx.MockRouter) -> None:
    """Before the password is changed; whether that works or not changes nothing for the caller."""
    ada.post("/user_management/authenticate").respond(json={"user": USER, "access_token": TOKEN})
    ada.routes["revoke"].respond(500)
    await change(afar, USER)
    [call] = ada.routes["revoke"].calls
    assert b'"session_1"' in call.request.content


async def test_another_s_password_proves_nothing(afar: httpx.AsyncClient, ada: respx.MockRouter) -> None:
    """The address may have gone to somebody else between two requests."""
    other = {**USER, "id": "user_2"}
    ada.post("/user_management/authenticate").respond(json={"user": other, "access_token": TOKEN})
    await change(afar, USER, 503)
    assert (ada.routes["change"].call_count, ada.routes["revoke"].call_count) == (0, 1)


async def test_a_repeat_does_not_call_its_own_change_a_wrong_password(
    afar: httpx.AsyncClient, ada: respx.MockRouter
) -> None:
    """What an attempt without an answer may have changed is not known."""
    check = ada.post("/user_management/authenticate").respond(json={"user": USER, "access_token": TOKEN})
    ada.routes["change"].respond(500)
    path = "/api/users/user_1/password"
    assert (await afar.put(path, json=CHANGE, headers=KEY)).status_code == 504
    check.respond(400, json={"code": "invalid_credentials", "message": "Invalid credentials."})
    assert (await afar.put(path, json=CHANGE, headers=KEY)).status_code == 504


@pytest.mark.parametrize("away", [AT, "/user_management/authenticate"])
async def test_a_repeat_is_not_told_that_nothing_was_changed(
    afar: httpx.AsyncClient, ada: respx.MockRouter, away: str
) -> None:
    """A WorkOS that cannot be asked once more leaves it as unknown as it was."""
    ada.post("/user_management/authenticate").respond(json={"user": USER, "access_token": TOKEN})
    ada.routes["change"].respond(500)
    path = "/api/users/user_1/password"
    assert (await afar.put(path, json=CHANGE, headers=KEY)).status_code == 504
    ada.route(path=away, method__in=["GET", "POST"]).respond(503)
    answer = await afar.put(path, json=CHANGE, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (504, "unknown")


@pytest.mark.parametrize("token", [None, "", "opaque", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJzaWQiOjF9.c", "a.\xff.c"])
def test_a_token_without_a_session(token: Any) -> None:
    """Whatever it is, it names none."""
    assert passwords.session_of(token) is None
