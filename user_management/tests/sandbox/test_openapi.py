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

DATA: Final = Path(__file__).parents[1] / "data" / "workos_openapi"
SCHEMAS, OPERATIONS, EVENTS = (
    json.loads((DATA / f"{name}.json").read_text()) for name in ("schemas", "operations", "events")
)
REGISTRY: Final = Registry().with_resource("schemas.json", DRAFT202012.create_resource(SCHEMAS))
NEWER_THAN_THE_DESCRIPTION: Final = {
    "UserlandUser": {"name"},
    "UserlandUserOrganizationMembership": {"roles"},
    "Organization": set(),
    "Role": set(),
}
"""What the SDK (10.7) knows and the description (0.1.0) does not yet."""
NEWER_IN_EVENTS: Final = {
    "user": {"name"},
    "permission": {"resource_type_slug"},
    "api_key": {"expires_at"},
}
"""The same, of the data of events by family."""
UNDESCRIBED_EVENTS: Final = {"api_key.updated"}
UNDESCRIBED: Final = {("PUT /user_management/users/{id}", 404): {"required": ["message"]}}
"""An answer the description forgot; the other 404 of users stands in for it."""
MEMBERSHIPS: Final = "/user_management/organization_memberships"
USERS: Final = "/user_management/users"


def conforms(schema: Any, value: Any) -> None:
    """Fail with the first thing that is wrong."""
    Draft202012Validator(schema, registry=REGISTRY).validate(value)


def operation(request: httpx.Request) -> str:
    """The operation a request belongs to: a literal path before a template, as OpenAPI rules."""
    path = request.url.path
    names = sorted(OPERATIONS, key=lambda name: name.count("{"))
    patterns = ((name, re.sub(r"\{\w+\}", "[^/]+", name)) for name in names)
    return str(next(name for name, pattern in patterns if re.fullmatch(pattern, f"{request.method} {path}")))


@pytest.fixture
def checked(start: Start) -> WorkOS:
    """A sandbox every answer of which is held against the description."""
    workos = start(users=60, organizations=3, backlog=200)
    met: set[str] = set()

    async def check(answer: httpx.Response) -> None:
        await answer.aread()
        name = operation(answer.request)
        schema = UNDESCRIBED.get((name, answer.status_code)) or OPERATIONS[name][str(answer.status_code)]
        met.add(name)
        if schema is not None:
            conforms(schema, answer.json())

    workos.client.event_hooks["response"] = [check]
    workos.app.state.met = met
    return workos


async def test_good_answers_conform(checked: WorkOS) -> None:
    """Each operation we serve is called once at least, and answers as described."""
    user, organization = await checked.user(external_id="p", password="correct-horse"), await checked.organization()
    organization = await checked.send("PUT", f"/organizations/{organization['id']}", {"external_id": "c"})
    membership = await checked.membership(user, organization)
    path = f"{MEMBERSHIPS}/{membership['id']}"
    for verb in ("", "/deactivate", "/reactivate"):
        await checked.send("PUT", path + verb, {"role_slug": "admin"})
    body = {"client_id": "client_sandbox", "client_secret": "sk_sandbox", "grant_type": "password"}
    body |= {"email": user["email"], "password": "correct-horse"}
    await checked.send("POST", "/user_management/authenticate", body)
    (session,) = (await checked.get(f"{USERS}/{user['id']}/sessions"))["data"]
    await checked.send("POST", "/user_management/sessions/revoke", {"session_id": session["id"]})
    await checked.send("PUT", f"{USERS}/{user['id']}", {"first_name": "Ada"})
    for read in (path, f"{USERS}/{user['id']}", f"{USERS}/external_id/p", f"/organizations/{organization['id']}"):
        await checked.get(read)
    for read in (USERS, "/organizations", "/organizations/external_id/c", "/authorization/roles/admin"):
        await checked.get(read)
    await checked.get("/authorization/roles")
    await checked.get(MEMBERSHIPS, organization_id=organization["id"])
    await checked.events()
    for gone in (path, f"{USERS}/{user['id']}", f"/organizations/{organization['id']}"):
        await checked.send("DELETE", gone)
    assert checked.app.state.met == set(OPERATIONS)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/events", None, 422),
        ("GET", "/events?events=user.created&organization_id=org_x", None, 400),
        ("GET", "/events?events=user.created&after=event_x", None, 400),
        ("GET", f"{USERS}?limit=0", None, 422),
        ("GET", f"{USERS}/user_x", None, 404),
        ("GET", f"{USERS}/external_id/x", None, 404),
        ("GET", "/organizations?after=org_x", None, 422),
        ("GET", "/organizations/org_x", None, 404),
        ("GET", "/authorization/roles/x", None, 404),
        ("GET", MEMBERSHIPS, None, 400),
        ("GET", f"{MEMBERSHIPS}/om_x", None, 404),
        ("POST", USERS, {}, 422),
        ("POST", USERS, {"email": "x"}, 400),
        ("POST", USERS, {"email": "a@b.example", "password": "short"}, 400),
        ("POST", USERS, {"email": "a@b.example", "metadata": {"a": 1}}, 400),
        ("PUT", f"{USERS}/user_x", {}, 404),
        ("PUT", f"{USERS}/user_x", {"first_name": 1}, 422),
        ("POST", "/organizations", {}, 422),
        ("POST", "/organizations", {"name": "A", "metadata": {"a": 1}}, 400),
        ("POST", MEMBERSHIPS, {}, 422),
        ("POST", MEMBERSHIPS, {"user_id": "x", "organization_id": "y"}, 404),
        ("POST", "/user_management/sessions/revoke", {"session_id": "x"}, 400),
        ("DELETE", f"{MEMBERSHIPS}/om_x", None, 404),
    ],
)
async def test_refusals_conform(checked: WorkOS, method: str, path: str, body: Any, status: int) -> None:
    """Errors have a described status and a described body."""
    await checked.send(method, path, body, status)


@pytest.mark.parametrize("schema", sorted(NEWER_THAN_THE_DESCRIPTION))
async def test_objects_have_no_keys_of_our_invention(checked: WorkOS, schema: str) -> None:
    """What is not in the description is in the SDK."""
    organization = (await checked.get("/organizations", order="asc"))["data"][0]
    lists = {
        "UserlandUser": await checked.get(USERS),
        "UserlandUserOrganizationMembership": await checked.get(MEMBERSHIPS, organization_id=organization["id"]),
        "Organization": await checked.get("/organizations"),
        "Role": await checked.get("/authorization/roles"),
    }
    keys = {key for value in lists[schema]["data"] for key in value}
    assert keys - set(SCHEMAS[schema]["properties"]) == NEWER_THAN_THE_DESCRIPTION[schema]


async def test_events_conform(checked: WorkOS) -> None:
    """Every event of much activity has the described shape, and no undescribed key but the newer ones."""
    checked.app.state.activity.burst(6_000)
    kinds = set()
    for event in map(json.loads, checked.app.state.store.feed.blobs):
        kinds.add(event["event"])
        if event["event"] not in UNDESCRIBED_EVENTS:
            conforms(EVENTS[event["event"]], event)
            family = event["event"].rpartition(".")[0]
            assert event["data"].keys() - described(event["event"]) <= NEWER_IN_EVENTS.get(family, set())
    assert len(kinds) == 54
    assert set(EVENTS) <= KNOWN


def described(kind: str) -> set[str]:
    """The keys that the description has for the data of an event."""
    data = EVENTS[kind]["properties"]["data"]
    return set((SCHEMAS[data["$ref"].rpartition("/")[2]] if "$ref" in data else data)["properties"])
