"""Signing in, held against the published description as the rest is in `test_openapi.py`."""

import json
import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from user_management.sandbox.event_types import KNOWN
from user_management.tests.sandbox.conftest import Start, WorkOS
from user_management.tests.sandbox.signing_in import EMAIL, PASSWORD, URN, enter, letter

DATA: Final = Path(__file__).parents[1] / "data" / "workos_openapi"
AUTHENTICATE: Final = "POST /user_management/authenticate"
USERS: Final = "/user_management/users"


def load(name: str) -> Any:
    """A file of the description."""
    return json.loads((DATA / f"{name}.json").read_text())


REGISTRY: Final = Registry().with_resources(
    (f"{name}.json", DRAFT202012.create_resource(load(name))) for name in ("schemas", "sign_in_schemas")
)
OPERATIONS: Final = load("sign_in_operations") | {AUTHENTICATE: load("operations")[AUTHENTICATE]}
EVENTS: Final = load("sign_in_events")


def conforms(schema: Any, value: Any) -> None:
    """Fail with the first thing that is wrong."""
    Draft202012Validator(schema, registry=REGISTRY).validate(value)


def operation(request: httpx.Request) -> str | None:
    """The operation a request belongs to, if it is one of signing in."""
    names = sorted(OPERATIONS, key=lambda name: name.count("{"))
    patterns = ((name, re.sub(r"\{\w+\}", "[^/]+", name)) for name in names)
    asked = f"{request.method} {request.url.path}"
    return next((name for name, pattern in patterns if re.fullmatch(pattern, asked)), None)


@pytest.fixture
def checked(start: Start) -> WorkOS:
    """A sandbox every answer of which, about signing in, is held against the description."""
    workos = start(rate_limits=False)
    met: set[str] = set()

    async def check(answer: httpx.Response) -> None:
        await answer.aread()
        name = operation(answer.request)
        if name is not None:
            met.add(name)
            conforms(OPERATIONS[name][str(answer.status_code)], answer.json())

    workos.client.event_hooks["response"] = [check]
    workos.app.state.met = met
    return workos


async def continue_sign_in(checked: WorkOS) -> None:
    """Ada signs in by way of a verification, and refreshes."""
    await checked.send("PUT", "/_sandbox/sign-in-rules", {"require_verified_email": True})
    asked = await enter(checked, status=403)
    await checked.get(f"/user_management/email_verification/{asked['email_verification_id']}")
    proof = {"pending_authentication_token": asked["pending_authentication_token"]}
    await enter(checked, f"{URN}email-verification:code", 400, code="nonsense", **proof)
    answer = await enter(checked, f"{URN}email-verification:code", code=(await letter(checked))["code"], **proof)
    await enter(checked, "refresh_token", refresh_token=answer["refresh_token"])


async def change_address(checked: WorkOS, path: str) -> None:
    """Her address changes, is verified, and changes back with a code."""
    await checked.send("PUT", path, {"email": "eva@example.com"})
    await checked.send("POST", f"{path}/email_verification/send")
    code = {"code": (await letter(checked, "eva@example.com"))["code"]}
    await checked.send("POST", f"{path}/email_verification/confirm", code)
    await checked.send("POST", f"{path}/email_change/send", {"new_email": EMAIL})
    await checked.send("POST", f"{path}/email_change/confirm", {"code": (await letter(checked))["code"]})


async def use_mail(checked: WorkOS) -> None:
    """She signs in with a magic code, after a wrong one, and resets her password."""
    magic = await checked.send("POST", "/user_management/magic_auth", {"email": EMAIL}, 201)
    await checked.get(f"/user_management/magic_auth/{magic['id']}")
    await enter(checked, f"{URN}magic-auth:code", 400, email=EMAIL, code="nonsense")
    await enter(checked, f"{URN}magic-auth:code", email=EMAIL, code=magic["code"])
    reset = await checked.send("POST", "/user_management/password_reset", {"email": EMAIL}, 201)
    await checked.get(f"/user_management/password_reset/{reset['id']}")
    body = {"token": reset["password_reset_token"], "new_password": PASSWORD}
    await checked.send("POST", "/user_management/password_reset/confirm", body)


async def test_good_answers_conform(checked: WorkOS) -> None:
    """Each operation is called once at least, and answers as described."""
    user = await checked.user(password=PASSWORD, metadata={"a": "1"})
    path = f"{USERS}/{user['id']}"
    await continue_sign_in(checked)
    await change_address(checked, path)
    await use_mail(checked)
    for read in (f"{path}/identities", "/sso/jwks/client_sandbox"):
        await checked.get(read)
    assert checked.app.state.met == set(OPERATIONS)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("email_verification/confirm", {"code": "x"}, 400),
        ("email_verification/confirm", {}, 422),
        ("email_change/send", {"new_email": EMAIL}, 409),
        ("email_change/send", {"new_email": "x"}, 422),
        ("email_change/send", {}, 422),
        ("email_change/confirm", {"code": "x"}, 409),
        ("/user_management/magic_auth", {}, 422),
        ("/user_management/password_reset", {"email": "nobody@example.com"}, 404),
        ("/user_management/password_reset", {}, 422),
        ("/user_management/password_reset/confirm", {"token": "x", "new_password": PASSWORD}, 404),
        ("/user_management/password_reset/confirm", {}, 422),
    ],
)
async def test_refusals_conform(checked: WorkOS, path: str, body: Any, status: int) -> None:
    """Errors have a described status and a described body."""
    user = await checked.user()
    where = path if path.startswith("/") else f"{USERS}/{user['id']}/{path}"
    await checked.send("POST", where, body, status)


@pytest.mark.parametrize(
    ("grant", "fields", "status"),
    [
        ("password", {"password": "wrong"}, 400),
        ("password", {"client_id": "other"}, 400),
        ("refresh_token", {"refresh_token": "x"}, 400),
        (f"{URN}magic-auth:code", {"email": EMAIL, "code": "x"}, 400),
        (f"{URN}organization-selection", {"pending_authentication_token": "x", "organization_id": "y"}, 400),
        (f"{URN}email-verification:code", {"pending_authentication_token": "x", "code": "y"}, 400),
        ("password", {"email": 1}, 422),
    ],
)
async def test_refused_grants_conform(checked: WorkOS, grant: str, fields: Any, status: int) -> None:
    """Each refusal of authenticate is one that is described."""
    await checked.user(password=PASSWORD)
    await enter(checked, grant, status, **fields)


async def test_organization_selection_conforms(checked: WorkOS) -> None:
    """So is the 403 that asks for a choice."""
    user = await checked.user(password=PASSWORD)
    for name in ("Anchor", "Bridge"):
        await checked.membership(user, await checked.organization(name))
    await enter(checked, status=403)


async def test_events_conform(checked: WorkOS) -> None:
    """Every event of signing in has the described shape, and no key beyond it."""
    user = await checked.user(password=PASSWORD)
    await enter(checked, status=400, password="wrong")
    await continue_sign_in(checked)
    await change_address(checked, f"{USERS}/{user['id']}")
    await use_mail(checked)
    events = [json.loads(blob) for blob in checked.app.state.store.feed.blobs]
    told = [event for event in events if event["event"] in EVENTS]
    for event in told:
        schema = EVENTS[event["event"]]
        conforms(schema, event)
        assert set(event["data"]) == set(schema["properties"]["data"]["properties"])
    assert {event["event"] for event in told} == set(EVENTS)
    assert set(EVENTS) <= KNOWN
