"""What every write promises; a new one is tested here by being declared."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from user_management.tests.support.local_workos import LocalWorkOS
from user_management.web.api import accounts, auth, router, write_documents
from user_management.web.api.routes import Direct
from user_management.web.api.writes import Write
from user_management.web.scopes import Scope

PASSWORD = "correct horse battery staple"
SECRETS = ("value", "token", "accept_invitation_url", "verification_token")

BODIES: dict[str, dict[str, Any]] = {
    "create user": {"email": "grace@example.com", "first_name": "Grace"},
    "update user": {"first_name": "Ada", "last_name": None},
    "create organization": {"name": "Looms", "metadata": {"tier": "gold"}},
    "update organization": {"name": "Looms Ltd"},
    "create organization_domain": {"organization_id": "{organization_id}", "domain": "looms.example"},
    "create organization_membership": {"user_id": "{other_id}", "organization_id": "{organization_id}"},
    "update organization_membership": {"role_slug": "admin"},
    "send invitation": {"email": "mary@example.com", "organization_id": "{organization_id}"},
    "create role": {"slug": "weaver", "name": "Weaver"},
    "update role": {"name": "Renamed"},
    "set_permissions_of role": {"permissions": ["{permission_slug}"]},
    "add_permission_to role": {"slug": "{permission_slug}"},
    "create organization_role": {"slug": "org-weaver", "name": "Weaver"},
    "update organization_role": {"name": "Renamed"},
    "set_permissions_of organization_role": {"permissions": ["{permission_slug}"]},
    "add_permission_to organization_role": {"slug": "{permission_slug}"},
    "create permission": {"slug": "looms:stop", "name": "Stop looms"},
    "update permission": {"name": "Renamed"},
    "create group": {"name": "Weavers"},
    "update group": {"name": "Renamed"},
    "create group_membership": {"organization_membership_id": "{organization_membership_id}"},
    "create_organization api_key": {"name": "Production"},
    "create_user api_key": {"name": "Laptop", "organization_id": "{organization_id}"},
}
"""What each write says, if it has to; `{name}` is an id of the world."""

FIRST: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "reactivate organization_membership": (
        "POST", "/api/organization_memberships/{organization_membership_id}/deactivate", None,
    ),
    "remove_permission_from organization_role": (
        "POST", "/api/organizations/{organization_id}/roles/{slug}/permissions", {"slug": "{permission_slug}"},
    ),
    "delete group_membership": (
        "POST", "/api/organizations/{organization_id}/groups/{group_id}/members",
        {"organization_membership_id": "{organization_membership_id}"},
    ),
    "create_user api_key": (
        "POST", "/api/organization_memberships", {"user_id": "{user_id}", "organization_id": "{organization_id}"},
    ),
    "accept invitation": ("POST", "/api/users", {"email": "eve@example.com"}),
    "remove_target_from feature_flag": ("POST", "/api/feature_flags/{feature_flag_id}/targets/{target_id}", None),
}  # fmt: skip
"""What has to be so before a write can be done."""

MADE: dict[str, tuple[str, dict[str, Any], str]] = {
    "user_id": ("/api/users", {"email": "ada@example.com", "password": PASSWORD}, "id"),
    "other_id": ("/api/users", {"email": "lovelace@example.com"}, "id"),
    "target_id": ("/api/users", {"email": "target@example.com"}, "id"),
    "organization_id": ("/api/organizations", {"name": "Engines"}, "id"),
    "organization_membership_id": (
        "/api/organization_memberships", {"user_id": "{user_id}", "organization_id": "{organization_id}"}, "id",
    ),
    "organization_domain_id": (
        "/api/organization_domains", {"domain": "engines.example", "organization_id": "{organization_id}"}, "id",
    ),
    "invitation_id": ("/api/invitations", {"email": "eve@example.com"}, "id"),
    "permission_id": ("/api/permissions", {"slug": "looms:oil", "name": "Oil looms"}, "id"),
    "permission_slug": ("/api/permissions", {"slug": "looms:run", "name": "Run looms"}, "slug"),
    "role_id": ("/api/roles", {"slug": "operator", "name": "Operator"}, "slug"),
    "slug": ("/api/organizations/{organization_id}/roles", {"slug": "org-admin", "name": "Admin"}, "slug"),
    "group_id": ("/api/organizations/{organization_id}/groups", {"name": "Engineers"}, "id"),
    "api_key_id": ("/api/organizations/{organization_id}/api_keys", {"name": "Staging"}, "id"),
}  # fmt: skip
"""How what a write needs is made, and which key of the answer names it."""


def name(write: Write) -> str:
    """What a write does to what."""
    return f"{write.verb} {write.resource.object}"


def case(write: Write) -> str:
    """A write as the name of a test."""
    return f"{write.asked_by} {write.path}"


PLAIN = [write for write in router.WRITES if write not in (*auth.WRITES, *accounts.WRITES)]
"""Writes that are one command; what people do to sign in and with their account has tests of its own."""

NAMED = re.compile(r"{(\w+)}")
plain = pytest.mark.parametrize("write", PLAIN, ids=case)


@dataclass
class World:
    """What a write needs, made through the API when it is needed; `ids` has what each is called."""

    api: httpx.AsyncClient
    local: LocalWorkOS
    ids: dict[str, str] = field(default_factory=dict)

    async def called(self, write: Write | None, value: Any) -> Any:
        """A path or a body with the ids of this world."""
        if isinstance(value, dict):
            return {key: await self.called(write, one) for key, one in value.items()}
        if isinstance(value, list):
            return [await self.called(write, one) for one in value]
        own = f"{{{write.resource.object}_id}}" if write else ""
        text = value.replace("{id}", own) if isinstance(value, str) else ""
        for known in NAMED.findall(text):
            if known not in self.ids:
                self.ids[known] = await self.make(known)
        return text.format(**self.ids) if text else value

    async def make(self, known: str) -> str:
        """Make something; what it is called."""
        if known == "feature_flag_id":
            await self.local.call("POST", "/_sandbox/flags", {"slug": "looms", "name": "Looms"})
            return "looms"
        if known == "session_id":
            await self.called(None, "{user_id}")
            await self.local.sign_in("ada@example.com", PASSWORD)
            sessions = await self.local.call("GET", f"/user_management/users/{self.ids['user_id']}/sessions")
            return str(sessions["data"][0]["id"])
        path, body, key = MADE[known]
        answer = await self.api.post(await self.called(None, path), json=await self.called(None, body))
        assert answer.status_code == 201, answer.text
        return str(answer.json()[key])

    async def ask(self, write: Write) -> httpx.Response:
        """Ask for a write, under a key."""
        body = await self.called(write, BODIES.get(name(write)))
        sent = {} if body is None else {"json": body}
        path = await self.called(write, write.path)
        return await self.api.request(write.asked_by, path, headers={"Idempotency-Key": "once"}, **sent)

    async def prepare(self, write: Write) -> None:
        """Do what has to be done before a write."""
        await self.called(write, {"path": write.path, "body": BODIES.get(name(write))})
        if name(write) in FIRST:
            method, path, body = [await self.called(write, one) for one in FIRST[name(write)]]
            answer = await self.api.request(method, path, json=body)
            assert answer.is_success, answer.text


@pytest.fixture
def world(api: httpx.AsyncClient, local: LocalWorkOS) -> World:
    """A world with nothing in it yet."""
    return World(api, local)


def test_every_write_is_tried() -> None:
    """Whoever declares a write that has to say something says here what."""
    assert {name(write) for write in PLAIN if write.needy} <= BODIES.keys()


@plain
async def test_it_is_done_once_and_shown_at_once(world: World, write: Write) -> None:
    """WorkOS does it; a repeat under the key is told the same; the next read of the copy shows it."""
    await world.prepare(write)
    before = len((await world.local.call("GET", "/_sandbox/writes"))["data"])
    first, second = [await world.ask(write) for _ in range(2)]
    assert first.is_success, first.text
    assert (second.status_code, second.headers["Idempotency-Replayed"]) == (first.status_code, "true")
    assert second.content == first.content or write.command.secret
    assert len((await world.local.call("GET", "/_sandbox/writes"))["data"]) == before + 1
    await shown(world, write, first)


async def shown(world: World, write: Write, answer: httpx.Response) -> None:
    """The copy shows what a write did, if its reply or its path tells."""
    if write.command.ends:
        known = (await world.api.get(f"/api/{write.resource.name}", params={"limit": 100})).json()["data"]
        gone = await world.called(write, ":".join(f"{{{one}}}" for one in write.command.key))
        assert gone not in [write.resource.name_of(one) for one in known]
    elif write.command.shows is not None and write.reply is None and answer.content:
        told = answer.json()
        whose = {one: world.ids[one] for one in write.command.key if one not in told}
        found = await world.api.get(f"/api/{write.resource.name}/{write.resource.name_of(told | whose)}")
        assert found.status_code == 200, found.text
        assert told.items() <= (found.json() | {key: told[key] for key in SECRETS if key in told}).items()
        assert "value" not in found.json()


async def test_every_write_is_described(api: httpx.AsyncClient) -> None:
    """OpenAPI has it, with its key, its ids and its problems."""
    paths = (await api.get("/api/openapi.json")).json()["paths"]
    for write in router.WRITES:
        one = paths[write.path][write.asked_by.lower()]
        names = {parameter["name"] for parameter in one["parameters"]}
        assert names == {"Idempotency-Key", *write_documents.names(write.path)}, case(write)
        assert {"409", "422", "502", "503", "504"} <= one["responses"].keys(), case(write)
        assert ("requestBody" in one) is (write.body is not None), case(write)


@plain
def test_its_command_is_whole(write: Write) -> None:
    """Whatever WorkOS's paths name is in ours."""
    ours = {part[1:-1] for part in write.path.split("/") if part.startswith("{")} | (
        {"slug"} if write.by_slug else set()
    )
    command = write.command
    theirs = {part[1:-1] for part in (*command.path, *(command.place or ())) if part.startswith("{")}
    assert theirs | set(command.names) | set(command.sends.values()) <= ours | ({"slug"} if write.by_slug else set())


async def test_every_write_needs_its_scope(api: httpx.AsyncClient) -> None:
    """Nobody changes anything without being allowed to write."""
    app = api._transport.app  # type: ignore[attr-defined]
    routes = [one for one in app.routes if isinstance(one, Direct)]
    declared = {(write.asked_by, write.path) for write in router.WRITES}
    found = {(method, one.path): one.scope for one in routes for method in one.methods or ()}
    assert {found[one] for one in declared} == {Scope.WRITE}
