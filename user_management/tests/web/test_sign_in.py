"""Signing up and in through us: WorkOS's words reach the caller, and stay nowhere."""

import json
from typing import Any, get_args

import httpx
import pytest

from user_management.db.session import Pool
from user_management.tests.support.local_workos import KEY as WORKOS_KEY
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import ids
from user_management.web import grants, ledger
from user_management.web.api import sign_in_bodies

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
ADA = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "metadata": {"username": "ada"}}


async def post(api: httpx.AsyncClient, path: str, body: Any = None, status: int = 200) -> Any:
    """The JSON of an answer, which has the status."""
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def register(api: httpx.AsyncClient, **fields: Any) -> Any:
    """Ada, who has signed up."""
    return await post(api, "/api/auth/register", ADA | fields, 201)


async def letter(local: LocalWorkOS, email: str = EMAIL) -> dict[str, Any]:
    """The newest of what an address was sent."""
    [newest, *_] = (await local.call("GET", f"/_sandbox/mailbox/{email}"))["data"]
    found: dict[str, Any] = newest
    return found


async def rules(local: LocalWorkOS, **rules: bool) -> None:
    """What WorkOS asks for before it opens a session."""
    await local.call("PUT", "/_sandbox/sign-in-rules", rules)


async def sessions(local: LocalWorkOS, user: dict[str, Any]) -> list[str]:
    """The sessions of a user that are active at WorkOS."""
    found = await local.call("GET", f"/user_management/users/{user['id']}/sessions")
    return [one["id"] for one in found["data"]]


async def test_whoever_signs_up_can_sign_in(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The user is in the copy at once; the tokens are WorkOS's; a refresh goes on; a logout ends it."""
    user = await register(api)
    assert ids(await api.get("/api/users")) == [user["id"]]
    entered = await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD})
    assert (entered["user"]["id"], len(entered["access_token"].split("."))) == (user["id"], 3)
    fresh = await post(api, "/api/auth/refresh", {"refresh_token": entered["refresh_token"]})
    assert fresh["access_token"] != entered["access_token"]
    [session] = await sessions(local, user)
    await post(api, "/api/auth/logout", {"session_id": session}, 204)
    assert await sessions(local, user) == []


async def test_the_user_of_an_authentication_is_not_applied(api: httpx.AsyncClient) -> None:
    """It has no metadata; the copy's user keeps its own."""
    user = await register(api)
    entered = await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD})
    assert "metadata" not in entered["user"]
    assert (await api.get(f"/api/users/{user['id']}")).json()["metadata"] == {"username": "ada"}


async def test_wrong_credentials_are_a_400(api: httpx.AsyncClient) -> None:
    """With WorkOS's code, and without a word of the password."""
    await register(api)
    problem = await post(api, "/api/auth/login", {"email": EMAIL, "password": "wrong horse"}, 400)
    assert (problem["type"], problem["code"]) == ("/api/problems/refused", "invalid_credentials")
    assert "horse" not in str(problem)


async def test_a_sign_in_by_code(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The code reaches the caller and the mailbox, and works once."""
    await register(api)
    sent = await post(api, "/api/auth/magic-code", {"email": EMAIL}, 201)
    assert sent["code"] == (await letter(local))["code"]
    body = {"grant_type": "magic_code", "email": EMAIL, "code": sent["code"]}
    assert (await post(api, "/api/auth/login", body))["authentication_method"] == "MagicAuth"
    assert (await post(api, "/api/auth/login", body, 400))["code"] == "one_time_code_previously_used"


def test_every_grant_can_be_asked_for_by_either_name() -> None:
    """The short one and WorkOS's own: the form takes what becomes a grant, and nothing else."""
    assert set(get_args(sign_in_bodies.Grant)) == grants.BY_EITHER_NAME.keys()


@pytest.mark.parametrize("name", ["magic_code", "urn:workos:oauth:grant-type:magic-auth:code"])
async def test_a_grant_is_asked_for_by_either_name(api: httpx.AsyncClient, name: str) -> None:
    """WorkOS is told its own; what the grant needs is the same."""
    await register(api)
    code = (await post(api, "/api/auth/magic-code", {"email": EMAIL}, 201))["code"]
    problem = await post(api, "/api/auth/login", {"grant_type": name, "email": EMAIL}, 422)
    assert [error["field"] for error in problem["errors"]] == ["code"]
    assert (await post(api, "/api/auth/login", {"grant_type": name, "email": EMAIL, "code": code}))["access_token"]


async def test_an_unverified_address_is_verified_on_the_way_in(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The 403 carries the token with which the sign-in goes on."""
    await register(api)
    await rules(local, require_verified_email=True)
    problem = await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD}, 403)
    assert (problem["code"], problem["email"]) == ("email_verification_required", EMAIL)
    token = problem["pending_authentication_token"]
    body = {"grant_type": "email_verification", "pending_authentication_token": token}
    code = (await letter(local))["code"]
    assert (await post(api, "/api/auth/login", body | {"code": code}))["user"]["email_verified"] is True


async def test_an_organization_is_chosen_on_the_way_in(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The 403 carries the organizations and the token."""
    user = await register(api)
    for name in ("Engines", "Looms"):
        await local.membership(user, await local.organization(name))
    await rules(local, require_organization=True)
    problem = await post(api, "/api/auth/login", {"email": EMAIL, "password": PASSWORD}, 403)
    assert problem["code"] == "organization_selection_required"
    [chosen, _] = problem["organizations"]
    token = {"pending_authentication_token": problem["pending_authentication_token"]}
    body = {"grant_type": "organization_selection", **token, "organization_id": chosen["id"]}
    assert (await post(api, "/api/auth/login", body))["organization_id"] == chosen["id"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["email", "password"]),
        ({"grant_type": "magic_code", "email": EMAIL}, ["code"]),
        ({"grant_type": "organization_selection"}, ["pending_authentication_token", "organization_id"]),
        ({"grant_type": "refresh_token", "refresh_token": ""}, ["refresh_token"]),
        ({"grant_type": "guess"}, ["grant_type"]),
    ],
)
async def test_each_grant_needs_its_fields(api: httpx.AsyncClient, body: Any, wrong: list[str]) -> None:
    """What is missing is named, and WorkOS is not asked."""
    problem = await post(api, "/api/auth/login", body, 422)
    assert [error["field"] for error in problem["errors"]] == wrong


async def test_an_address_is_proven_by_a_code(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """By either way of asking; the copy shows it at once."""
    user = await register(api)
    at = f"/api/users/{user['id']}"
    assert (await post(api, "/api/auth/resend-verification", {"email": EMAIL}))["user"]["id"] == user["id"]
    await post(api, f"{at}/email-verification/send")
    assert (await post(api, f"{at}/email-verification/confirm", {"code": "000000"}, 400))["code"]
    code = (await letter(local))["code"]
    await post(api, "/api/auth/verify-email", {"user_id": user["id"], "code": code})
    assert (await api.get(at)).json()["email_verified"] is True


@pytest.mark.parametrize(
    ("request_path", "complete"),
    [
        ("/api/auth/request-password-reset", "/api/auth/reset-password"),
        ("/api/users/password-reset/request", "/api/users/password-reset/complete"),
    ],
)
async def test_a_forgotten_password_is_replaced(api: httpx.AsyncClient, request_path: str, complete: str) -> None:
    """The token reaches the caller, works once, and proves the address."""
    user = await register(api)
    asked = await post(api, request_path, {"email": EMAIL}, 201)
    body = {"token": asked["password_reset_token"], "new_password": "battery staple, twice"}
    assert (await post(api, complete, body))["user"]["id"] == user["id"]
    assert (await api.get(f"/api/users/{user['id']}")).json()["email_verified"] is True
    await post(api, "/api/auth/login", {"email": EMAIL, "password": "battery staple, twice"})
    assert (await post(api, complete, body, 400))["code"] == "password_reset_error"


async def test_nobody_of_an_address_is_a_404(api: httpx.AsyncClient) -> None:
    """As WorkOS says it, where it is asked for one."""
    await post(api, "/api/auth/request-password-reset", {"email": "nobody@example.com"}, 404)
    await post(api, "/api/auth/resend-verification", {"email": "nobody@example.com"}, 404)


@pytest.mark.parametrize("path", ["/api/auth/verify-email", "/api/auth/resend-verification"])
@pytest.mark.parametrize("email", ["a\x00@example.com", "a\ud800@example.com"])
async def test_what_is_no_address_is_refused(api: httpx.AsyncClient, path: str, email: str) -> None:
    """Nobody can be looked up by what is no text."""
    answer = await api.post(path, content=json.dumps({"email": email, "code": "123456"}))
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, ["email"])


async def test_who_has_an_address_is_asked_of_workos(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """The copy may not know yet that somebody else has it now."""
    user = await register(api)
    await pool.execute("UPDATE users SET email = 'old@example.com'")
    other = await local.user("old@example.com")
    found = await post(api, "/api/auth/resend-verification", {"email": "Old@Example.com"})
    assert (found["user"]["id"], user["id"] != other["id"]) == (other["id"], True)


LOOK = "/user_management/users"
KEY = {"Idempotency-Key": "first-try"}


@pytest.mark.parametrize("what", ["verify-email", "resend-verification"])
@pytest.mark.parametrize("after", ["away", "renamed"])
async def test_a_repeat_by_address_is_answered_the_same(
    api: httpx.AsyncClient, local: LocalWorkOS, what: str, after: str
) -> None:
    """Its answer is ours: who has the address, or whether WorkOS is there to say so, is nothing to it any more."""
    user = await register(api)
    await post(api, "/api/auth/resend-verification", {"email": EMAIL})
    body = {"email": EMAIL} | ({"code": (await letter(local))["code"]} if what == "verify-email" else {})
    first = await api.post(f"/api/auth/{what}", json=body, headers=KEY)
    if after == "away":
        await local.misbehave({"500": 1.0})
    else:
        await local.call("PUT", f"{LOOK}/{user['id']}", {"email": "countess@example.com"})
    second = await api.post(f"/api/auth/{what}", json=body, headers=KEY)
    assert (first.status_code, second.status_code) == (200, 200)
    assert (second.content, second.headers["Idempotency-Replayed"]) == (first.content, "true")


async def test_who_is_not_found_leaves_the_key_free(api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool) -> None:
    """While WorkOS does not say whose an address is, or nobody has it, nothing was done; later the same request is."""
    path, body = "/api/auth/resend-verification", {"email": EMAIL}
    await local.misbehave({"500": 1.0}, paths=LOOK)
    statuses = [(await api.post(path, json=body, headers=KEY)).status_code]
    await local.misbehave({})
    statuses.append((await api.post(path, json=body, headers=KEY)).status_code)
    assert (statuses, await pool.fetchval("SELECT count(*) FROM writes")) == ([503, 404], 0)
    await register(api)
    assert (await api.post(path, json=body, headers=KEY)).status_code == 200


@pytest.mark.parametrize("after", ["away", "renamed"])
async def test_who_is_not_found_again_stays_in_doubt(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, after: str
) -> None:
    """After an attempt without an answer a repeat is no 503 or 404, which say that nothing was done."""
    user = await register(api)
    if after == "away":
        await local.misbehave({"500": 1.0})
    else:
        await local.call("PUT", f"{LOOK}/{user['id']}", {"email": "countess@example.com"})
    await pool.execute(
        "INSERT INTO writes (key, request, digest, state, owner, leased_until) "
        "VALUES ('first-try', $1, $2, 'unknown', '', now())",
        "POST /api/auth/resend-verification",
        ledger.digest(WORKOS_KEY.encode(), "POST /api/auth/resend-verification", {"email": EMAIL}),
    )
    answer = await api.post("/api/auth/resend-verification", json={"email": EMAIL}, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (504, "unknown")
    assert await pool.fetchval("SELECT state FROM writes") == "unknown"


async def test_an_address_changes_once_the_new_one_is_proven(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The copy shows it at once, and not before."""
    user = await register(api)
    at = f"/api/users/{user['id']}"
    sent = await post(api, f"{at}/email-change", {"new_email": "countess@example.com"})
    assert (sent["new_email"], (await api.get(at)).json()["email"]) == ("countess@example.com", EMAIL)
    code = (await letter(local, "countess@example.com"))["code"]
    await post(api, f"{at}/email-change/confirm", {"code": code})
    assert (await api.get(at)).json()["email"] == "countess@example.com"
    assert (await post(api, f"{at}/email-change", {"new_email": "countess@example.com"}, 409))["code"]


async def test_the_same_health_at_another_address(api: httpx.AsyncClient) -> None:
    """People come with it."""
    assert (await api.get("/api/healthcheck")).json() == (await api.get("/api/health")).json()
