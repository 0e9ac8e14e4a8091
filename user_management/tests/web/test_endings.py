"""Sessions that end through us: their tokens are refused at once, though no event has come."""

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.journal import ended_sessions
from user_management.tests.support.local_workos import HEADERS
from user_management.tests.support.tokens import Jwks, token
from user_management.tests.web.conftest import Serve, Tell
from user_management.tests.web.test_keys import bearer, made
from user_management.tests.web.test_tokens import GUARDED
from user_management.web.scopes import Scope

REVOKE = "/user_management/sessions/revoke"
BODY = {"session_id": "session_0000"}


@pytest.mark.parametrize(
    "path", ["/api/sessions/session_0000/revoke", "/api/auth/logout", REVOKE, "/api/users/user_0000/soft-delete"]
)
@pytest.mark.parametrize("status", [200, 400])
async def test_a_session_that_ended_through_us_is_over(
    serve: Serve, remote: respx.MockRouter, tell: Tell, path: str, status: int
) -> None:
    """As soon as WorkOS said so; what it refused to end goes on."""
    (user,) = await tell("users")
    Jwks(remote)
    lists = {"object": "list", "list_metadata": {}}
    session = {"object": "session", "id": "session_0000"}
    remote.get("/user_management/users/user_0000").respond(json=user)
    remote.put("/user_management/users/user_0000").respond(json=user)
    remote.get("/user_management/organization_memberships").respond(json=lists | {"data": []})
    remote.get("/user_management/users/user_0000/sessions").mock(
        side_effect=[httpx.Response(200, json=lists | {"data": data}) for data in ([session], [])]
    )
    remote.post(REVOKE).respond(status)
    secret, key = made("app", Scope.WRITE)
    async with httpx.AsyncClient() as http, serve(http, **GUARDED, api_keys=(key,)) as api:
        body = BODY if path in {REVOKE, "/api/auth/logout"} else None
        await api.post(path, json=body, headers=HEADERS if path == REVOKE else bearer(secret))
        me = await api.get("/api/users/me", headers=bearer(token()))
    assert me.status_code == (401 if status == 200 else 200)


async def test_an_end_is_remembered_for_a_day(pool: Pool) -> None:
    """By then the feed has told; whoever ends another session clears it away."""
    async with pool.acquire() as connection:
        await ended_sessions.add(connection, "session_1")
        await connection.execute("UPDATE ended_sessions SET ended_at = now() - interval '25 hours'")
        await ended_sessions.add(connection, "session_2")
        await ended_sessions.add(connection, "session_2")
        assert [row["id"] for row in await connection.fetch("SELECT id FROM ended_sessions")] == ["session_2"]
