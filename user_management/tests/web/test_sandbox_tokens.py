"""Tokens that WorkOS gave for a password: they open this API as far as their permissions go, and fall with the session.

The tokens and the keys they are checked with are the local WorkOS's own.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from user_management.listener.worker import Listener
from user_management.tests.support import copies, local_workos
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import CLIENT, Serve
from user_management.tests.web.test_keys import bearer
from user_management.web.credentials import tokens

PASSWORD = "correct horse battery"
GUARDED = {"open": False, "token_issuers": tokens.issuers(local_workos.URL, CLIENT)}


@pytest.fixture
async def guarded(serve: Serve, local: LocalWorkOS, listener: Listener) -> AsyncIterator[httpx.AsyncClient]:
    """An API that accepts session tokens alone, over a copy that goes on when the test says so."""
    await copies.begin(listener)
    async with serve(local.http, **GUARDED) as client:
        yield client


async def signed_in(local: LocalWorkOS, *permissions: str) -> dict[str, Any]:
    """Ada, with a role of these permissions, as WorkOS answers when she signs in."""
    user = await local.user(password=PASSWORD, email_verified=True)
    organization = await local.organization()
    for slug in permissions:
        await local.call("POST", "/authorization/permissions", {"slug": slug, "name": slug})
    await local.call("POST", "/authorization/roles", {"slug": "clerk", "name": "Clerk"})
    await local.call("PUT", "/authorization/roles/clerk/permissions", {"permissions": list(permissions)})
    member = {"user_id": user["id"], "organization_id": organization["id"], "role_slug": "clerk"}
    await local.call("POST", "/user_management/organization_memberships", member)
    body = {"grant_type": "password", "email": user["email"], "password": PASSWORD,
            "client_id": CLIENT, "client_secret": local_workos.KEY}  # fmt: skip
    entered: dict[str, Any] = await local.call("POST", "/user_management/authenticate", body)
    return entered


async def test_whoever_signs_in_reads_about_themselves(
    guarded: httpx.AsyncClient, local: LocalWorkOS, listener: Listener
) -> None:
    """With the token as it came, checked with the keys WorkOS shows; and nothing else without a permission."""
    entered = await signed_in(local)
    await copies.drain(listener)
    headers = bearer(entered["access_token"])
    mine = await guarded.get("/api/users/me", headers=headers)
    assert (mine.status_code, mine.json()["id"]) == (200, entered["user"]["id"])
    assert (await guarded.get("/api/users", headers=headers)).status_code == 403


async def test_a_role_at_workos_gives_a_scope_here(guarded: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """Who may write there may read and write here, and do nothing of an operator's."""
    headers = bearer((await signed_in(local, "user_management:write"))["access_token"])
    read = await guarded.get("/api/users", headers=headers)
    written = await guarded.post("/api/organizations", json={"name": "Looms"}, headers=headers)
    operated = await guarded.get("/api/failures", headers=headers)
    assert [one.status_code for one in (read, written, operated)] == [200, 201, 403]


async def test_a_revoked_session_opens_nothing(
    guarded: httpx.AsyncClient, local: LocalWorkOS, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the copy has heard of it, though its tokens are good for minutes yet, also the one of a refresh."""
    monkeypatch.setattr(tokens, "STANDING", 0.0)
    entered = await signed_in(local, "user_management:read")
    body = {"grant_type": "refresh_token", "refresh_token": entered["refresh_token"], "client_id": CLIENT,
            "client_secret": local_workos.KEY}  # fmt: skip
    fresh = (await local.call("POST", "/user_management/authenticate", body))["access_token"]
    await copies.drain(listener)
    before = [await guarded.get("/api/users", headers=bearer(one)) for one in (entered["access_token"], fresh)]
    [session] = (await local.call("GET", f"/user_management/users/{entered['user']['id']}/sessions"))["data"]
    await local.call("POST", "/user_management/sessions/revoke", {"session_id": session["id"]})
    await copies.drain(listener)
    after = [await guarded.get("/api/users", headers=bearer(one)) for one in (entered["access_token"], fresh)]
    assert [one.status_code for one in (*before, *after)] == [200, 200, 401, 401]
    assert "revoked" in after[0].json()["detail"]
