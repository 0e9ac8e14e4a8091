from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, limits, pages, replies
from user_management.sandbox.roster import ACTIVE
from user_management.sandbox.store import Store, store_of

SEEDED_PASSWORD: Final = "sandbox-password"  # noqa: S105 - every seeded user signs in with it, as the CLI says
_LIFETIME: Final = 7 * clock.DAY
_KEPT: Final = 10
_CREDENTIALS: Final = {
    "client_id": bodies.TEXT,
    "client_secret": bodies.TEXT,
    "grant_type": bodies.TEXT,
    "email": bodies.TEXT,
    "password": bodies.TEXT,
    "ip_address": bodies.NULLABLE_TEXT,
    "user_agent": bodies.NULLABLE_TEXT,
}


def sign_in(
    store: Store, user_id: str, *, ip_address: str | None = None, user_agent: str | None = None
) -> dict[str, Any]:
    """A new session; it raises `last_sign_in_at` but neither moves `updated_at` nor emits `user.updated`."""
    user = store.users.read(user_id)
    if user is None:
        raise errors.not_found("User", user_id)
    moment = store.now()
    session = _session(store, user_id, moment) | {"ip_address": ip_address, "user_agent": user_agent}
    blob = store.sessions.write(session)
    kept = store.sessions_of.setdefault(user_id, [])
    kept.append(session["id"])
    for expired in kept[:-_KEPT]:
        store.sessions.remove(expired)
    del kept[:-_KEPT]
    store.users.write(user | {"last_sign_in_at": clock.stamp(moment)})
    store.emit("session.created", blob, moment, session.get("organization_id"))
    return session


def revoke(store: Store, session_id: str) -> None:
    """End an active session; 400 when there is none of that id."""
    session = store.sessions.read(session_id)
    if session is None:
        raise errors.ApiError(400, {"message": f"Session not found: '{session_id}'."})
    moment = store.now()
    ended_at = clock.stamp(moment)
    session |= {"status": "revoked", "ended_at": ended_at, "updated_at": ended_at}
    store.sessions.remove(session_id)
    store.sessions_of[session["user_id"]].remove(session_id)
    store.emit("session.revoked", orjson.dumps(session), moment, session.get("organization_id"))


def revoke_all(store: Store, user_id: str, organization_id: str) -> None:
    """End the sessions a user has in an organization."""
    for session_id in list(store.sessions_of.get(user_id, ())):
        session = store.sessions.read(session_id)
        if session and session.get("organization_id") == organization_id:
            revoke(store, session_id)


def forget(store: Store, user_id: str) -> None:
    """Drop the sessions of a deleted user without a word: nothing says that WorkOS emits their end."""
    for session_id in store.sessions_of.pop(user_id, ()):
        store.sessions.remove(session_id)


def _session(store: Store, user_id: str, moment: int) -> dict[str, Any]:
    created_at = clock.stamp(moment)
    session = {
        "object": "session",
        "id": store.new_id("session", moment),
        "user_id": user_id,
        "auth_method": "password",
        "status": "active",
        "ip_address": None,
        "user_agent": None,
        "expires_at": clock.stamp(moment + _LIFETIME),
        "ended_at": None,
        "created_at": created_at,
        "updated_at": created_at,
    }
    organization_id = _only_organization(store, user_id)
    return session if organization_id is None else session | {"organization_id": organization_id}


def _only_organization(store: Store, user_id: str) -> str | None:
    """Where a user signs in to: the one organization of an active membership, if it is the only one."""
    memberships = (store.memberships.read(key) for key in store.roster.of_user(user_id))
    active = [one["organization_id"] for one in memberships if one and one["status"] == ACTIVE]
    return active[0] if len(active) == 1 else None


async def authenticate(request: Request) -> Response:
    """A session and its tokens for an address and a password, or the 400 of the OAuth family."""
    store = store_of(request)
    fields = await bodies.read(request, _CREDENTIALS, required=("client_id", "client_secret", "grant_type"))
    _check_client(store, fields)
    bodies.check(fields, _CREDENTIALS, ("email", "password"))
    email = fields["email"].strip().lower()
    limits.limits_of(request).count_sign_in(email)
    user_id = _verify(store, email, fields["password"])
    session = sign_in(store, user_id, ip_address=fields.get("ip_address"), user_agent=fields.get("user_agent"))
    return replies.wrote(request, session["id"], orjson.dumps(_authentication(store, session)))


def _check_client(store: Store, fields: dict[str, Any]) -> None:
    known = compare_digest(fields["client_secret"].encode(), store.config.api_key.encode())
    if fields["client_id"] != store.config.client_id or not known:
        raise errors.oauth("invalid_client", "Invalid client ID or secret.")
    if fields["grant_type"] != "password":
        raise errors.oauth("unsupported_grant_type", "The sandbox signs in by password only.")


def _verify(store: Store, email: str, password: str) -> str:
    """The user with these credentials; WorkOS answers 400, not 401, when they are wrong."""
    user_id = store.emails.get(email, "")
    seeded = SEEDED_PASSWORD if user_id and user_id <= store.seeded_until else None
    expected = store.passwords.get(user_id, seeded)
    if expected is None or not compare_digest(expected.encode(), password.encode()):
        raise errors.refused("invalid_credentials", "Invalid credentials.")
    return user_id


def _authentication(store: Store, session: dict[str, Any]) -> dict[str, Any]:
    """The answer of authenticate, whose user has no metadata."""
    user = store.users.read(session["user_id"]) or {}
    user.pop("metadata")
    organization = {key: session[key] for key in ("organization_id",) if key in session}
    tokens = {"access_token": f"sandbox.{session['id']}", "refresh_token": token_urlsafe(18)}
    return {"user": user} | organization | tokens | {"authentication_method": "Password"}


async def list_sessions(request: Request) -> Response:
    """The active sessions of a user."""
    store, user_id = store_of(request), request.path_params["id"]
    if user_id not in store.users.blobs:
        raise errors.not_found("User", user_id)
    wanted = pages.cut(request.query_params, store.sessions.blobs)
    now = clock.stamp(store.now())
    ids = [
        key for key in store.sessions_of.get(user_id, ()) if orjson.loads(store.sessions.blobs[key])["expires_at"] > now
    ]
    page = pages.take(ids, wanted)
    return replies.ok(pages.render([store.sessions.blobs[key] for key in page.ids], page))


async def revoke_session(request: Request) -> Response:
    """200 without a body."""
    fields = await bodies.read(request, {"session_id": bodies.TEXT}, required=("session_id",))
    revoke(store_of(request), fields["session_id"])
    return replies.wrote(request, fields["session_id"])


ROUTES: Final = [
    Route("/user_management/authenticate", authenticate, methods=["POST"]),
    Route("/user_management/users/{id}/sessions", list_sessions),
    Route("/user_management/sessions/revoke", revoke_session, methods=["POST"]),
]
