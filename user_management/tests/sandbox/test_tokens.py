import asyncio
from base64 import b64decode
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from jwt.algorithms import RSAAlgorithm
from workos import WorkOSClient
from workos.session import AuthenticateWithSessionCookieSuccessResponse, seal_session_from_auth_response

from user_management.sandbox import memory
from user_management.sandbox.config import Config
from user_management.tests.sandbox.conftest import Start, WorkOS, served
from user_management.tests.sandbox.signing_in import EMAIL, PASSWORD, enter

JWKS = "/sso/jwks/client_sandbox"
ISSUER = "http://workos.test/user_management/client_sandbox"


async def claims(workos: WorkOS, token: str) -> dict[str, Any]:
    """What a token says, its signature having been checked with the published key it names; the clock is a test's."""
    keys = {key["kid"]: key for key in (await workos.get(JWKS))["keys"]}
    key = RSAAlgorithm.from_jwk(keys[jwt.get_unverified_header(token)["kid"]])
    options: Any = {"verify_exp": False, "verify_iat": False}
    said: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], options=options)  # type: ignore[arg-type]  # a public key, as JWKS hold no others
    return said


async def test_an_access_token_says_who_and_what(workos: WorkOS) -> None:
    """Signed by a published key, good for five minutes, with the roles of the membership and their permissions."""
    user, organization = await workos.user(password=PASSWORD), await workos.organization()
    await workos.membership(user, organization, role_slug="admin")
    said = await claims(workos, (await enter(workos))["access_token"])
    (session,) = (await workos.get(f"/user_management/users/{user['id']}/sessions"))["data"]
    assert said.pop("exp") - said.pop("iat") == 300
    assert said.pop("jti")
    assert said == {
        "iss": ISSUER,
        "sub": user["id"],
        "sid": session["id"],
        "org_id": organization["id"],
        "role": "admin",
        "roles": ["admin"],
        "permissions": ["users:manage", "billing:manage"],
    }


async def test_without_an_organization_there_is_no_role(workos: WorkOS) -> None:
    """Who is a member of nothing is somebody, and no more."""
    await workos.user(password=PASSWORD)
    said = await claims(workos, (await enter(workos))["access_token"])
    assert said.keys() == {"iss", "sub", "sid", "jti", "iat", "exp"}


async def test_a_refresh_tells_of_a_new_role(workos: WorkOS) -> None:
    """The next token carries the role of the moment, in the same session."""
    user, organization = await workos.user(password=PASSWORD), await workos.organization()
    membership = await workos.membership(user, organization)
    first = await enter(workos)
    await workos.send("PUT", f"/user_management/organization_memberships/{membership['id']}", {"role_slug": "viewer"})
    second = await enter(workos, "refresh_token", refresh_token=first["refresh_token"])
    before, after = await claims(workos, first["access_token"]), await claims(workos, second["access_token"])
    assert (before["role"], after["role"]) == ("member", "viewer")
    assert before["sid"] == after["sid"]
    assert before["jti"] != after["jti"]


async def test_anybody_may_read_the_keys(workos: WorkOS) -> None:
    """JWKS need no API key; those of another client are a 404. The certificate is of the same key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(workos.app), base_url="http://x.test") as stranger:
        (key,) = (await stranger.get(JWKS)).json()["keys"]
        assert (await stranger.get("/sso/jwks/client_other")).status_code == 404
    certified = x509.load_der_x509_certificate(b64decode(key["x5c"][0])).public_key()
    assert certified == RSAAlgorithm.from_jwk(key)


@pytest.mark.parametrize("keep", [True, False])
async def test_the_signing_key_can_be_changed(workos: WorkOS, keep: bool) -> None:
    """New tokens name the new key; old ones can be checked as long as the old key is kept."""
    await workos.user(password=PASSWORD)
    old = (await enter(workos))["access_token"]
    kids = (await workos.send("POST", "/_sandbox/signing-key", {"keep": keep}))["kids"]
    new = (await enter(workos))["access_token"]
    assert jwt.get_unverified_header(new)["kid"] == kids[0]
    assert (jwt.get_unverified_header(old)["kid"] in kids) is keep
    assert [key["kid"] for key in (await workos.get(JWKS))["keys"]] == kids


async def test_the_issuer_can_be_another(start: Start) -> None:
    """Environments differ in it, and so may sandboxes."""
    workos = start(issuer="https://auth.example.com")
    await workos.user(password=PASSWORD)
    assert (await claims(workos, (await enter(workos))["access_token"]))["iss"] == "https://auth.example.com"


async def test_a_session_outlives_the_process(start: Start, tmp_path: Path) -> None:
    """What was signed before a stop can be checked after it, refreshed too, and codes sent before it still work."""
    file = str(tmp_path / "state")
    before = start(state=file)
    await before.user(password=PASSWORD)
    answer, keys = await enter(before), await before.get(JWKS)
    code = await before.send("POST", "/user_management/magic_auth", {"email": EMAIL}, 201)
    async with memory.kept(before.app.state.store):
        pass
    after = start(state=file)
    assert await after.get(JWKS) == keys
    await enter(after, "refresh_token", refresh_token=answer["refresh_token"])
    await enter(after, "urn:workos:oauth:grant-type:magic-auth:code", email=EMAIL, code=code["code"])


async def test_the_sdk_trusts_the_session() -> None:
    """The SDK's own session cookie is authenticated and refreshed over real sockets, keys fetched by itself."""
    secret = "2" * 43 + "="
    async with served(Config()) as url:
        made = WorkOSClient(api_key="sk_sandbox", client_id="client_sandbox", base_url=url, max_retries=0)
        with closing(made) as client:
            users = client.user_management
            await asyncio.to_thread(users.create_user, email=EMAIL, email_verified=True)
            code = (await asyncio.to_thread(users.create_magic_auth, email=EMAIL)).code
            answer = await asyncio.to_thread(users.authenticate_with_magic_auth, email=EMAIL, code=code)
            sealed = seal_session_from_auth_response(
                access_token=answer.access_token, refresh_token=answer.refresh_token, user=answer.user.to_dict(),
                cookie_password=secret,
            )  # fmt: skip
            session = users.load_sealed_session(session_data=sealed, cookie_password=secret)
            found = await asyncio.to_thread(session.authenticate)
            assert isinstance(found, AuthenticateWithSessionCookieSuccessResponse), found
            assert (await asyncio.to_thread(session.refresh)).authenticated
