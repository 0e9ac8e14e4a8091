"""Access tokens, which are JWTs that anybody can check, and refresh tokens, each of which works once."""

from hmac import compare_digest
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, derive, errors, organization_memberships, replies
from user_management.sandbox.roster import ACTIVE
from user_management.sandbox.store import Refresh, SigningKey, Store, store_of

LIFETIME: Final = 5 * clock.MINUTE
_SESSION: Final = "session_"
_ULID_LENGTH: Final = 26


def access_token(store: Store, session: dict[str, Any], organization_id: str | None, issuer: str) -> str:
    """A JWT that says who is signed in, where, as what and until when."""
    from user_management.sandbox import signing  # noqa: PLC0415 - only who signs waits for cryptography

    moment = store.now()
    claims = {
        "iss": issuer,
        "sub": session["user_id"],
        "sid": session["id"],
        "jti": store.new_id("jti", moment).removeprefix("jti_"),
        **_access(store, session["user_id"], organization_id),
        "iat": moment // 1000,
        "exp": (moment + LIFETIME) // 1000,
    }
    return signing.sign(claims, _current(store))


def refresh_token(store: Store, session_id: str, organization_id: str | None) -> str:
    """A new token for a session, which ends the one before; it begins with the session's id, as nobody need know."""
    secret = derive.text(store, "refresh", store.new_id("refresh", store.now()))
    store.refreshes[session_id] = Refresh(secret, organization_id)
    return session_id.removeprefix(_SESSION) + secret


def redeem(store: Store, token: str) -> tuple[dict[str, Any], str | None]:
    """The session a token refreshes and the organization it is for; 400 `invalid_grant` when it does no more."""
    session = store.sessions.read(_SESSION + token[:_ULID_LENGTH])
    refresh = None if session is None else store.refreshes.get(session["id"])
    if session is None or refresh is None or session["expires_at"] <= clock.stamp(store.now()):
        raise errors.oauth("invalid_grant", "Session has already ended.")
    if not compare_digest(refresh.secret.encode(), token[_ULID_LENGTH:].encode()):
        raise errors.oauth("invalid_grant", "Refresh token already exchanged.")
    return session, refresh.organization_id


def issuer(request: Request) -> str:
    """Who the tokens say they are from: as configured, else this sandbox as the caller reached it."""
    config = store_of(request).config
    return config.issuer or f"{str(request.base_url).rstrip('/')}/user_management/{config.client_id}"


def rotate(store: Store, *, keep: bool) -> SigningKey:
    """Sign with a new key from now on; tokens signed with the old ones stay good if those are kept."""
    from user_management.sandbox import signing  # noqa: PLC0415 - only who signs waits for cryptography

    moment = store.now()
    key = signing.new_key(store.new_id("sso_oidc_key_pair", moment), moment)
    store.signing_keys = [key, *(store.signing_keys if keep else ())]
    return key


def _current(store: Store) -> SigningKey:
    return store.signing_keys[0] if store.signing_keys else rotate(store, keep=False)


def _access(store: Store, user_id: str, organization_id: str | None) -> dict[str, Any]:
    """The claims about an organization: what the roles of the membership there allow."""
    if organization_id is None:
        return {}
    membership = organization_memberships.find(store, user_id, organization_id)
    if membership is None or membership["status"] != ACTIVE:
        return {"org_id": organization_id}
    slugs = [role["slug"] for role in membership["roles"]]
    own = store.organization_roles.all("organization_id", organization_id)
    found = [role for role in (*map(orjson.loads, store.roles.values()), *own) if role["slug"] in slugs]
    permissions = list(dict.fromkeys(name for role in found for name in role.get("permissions", ())))
    role = membership["role"]["slug"]
    return {"org_id": organization_id, "role": role, "roles": slugs, "permissions": permissions}


async def jwks(request: Request) -> Response:
    """The public keys, the current one first; 404 for another client."""
    from user_management.sandbox import signing  # noqa: PLC0415 - only who signs waits for cryptography

    store, client_id = store_of(request), request.path_params["client_id"]
    if client_id != store.config.client_id:
        raise errors.not_found("Client", client_id)
    _current(store)
    return replies.ok(orjson.dumps({"keys": [signing.published(key) for key in store.signing_keys]}))


ROUTES: Final = [Route("/sso/jwks/{client_id}", jwks)]
