from collections.abc import Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, pages, replies
from user_management.sandbox.roster import ACTIVE
from user_management.sandbox.store import Store, store_of

SEEDED_PASSWORD: Final = "sandbox-password"  # noqa: S105 - every seeded user signs in with it, as the CLI says
PASSWORD: Final = "password"  # noqa: S105 - how a session calls the way its user came
MAGIC_CODE: Final = "magic_code"
_LIFETIME: Final = 7 * clock.DAY
_KEPT: Final = 10


def sign_in(
    store: Store,
    user_id: str,
    *,
    auth_method: str = PASSWORD,
    organization_id: str | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
) -> dict[str, Any]:
    """A new session; it raises `last_sign_in_at` but neither moves `updated_at` nor emits `user.updated`."""
    user = store.users.read(user_id)
    if user is None:
        raise errors.not_found("User", user_id)
    moment = store.now()
    session = _session(store, user_id, moment) | {"ip_address": ip_address, "user_agent": user_agent}
    session |= {"auth_method": auth_method} | _place(store, user_id, organization_id)
    blob = store.sessions.write(session)
    kept = store.sessions_of.setdefault(user_id, [])
    kept.append(session["id"])
    for oldest in kept[:-_KEPT]:
        _drop(store, oldest)
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
    _drop(store, session_id)
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
        _drop(store, session_id)


def organizations_of(store: Store, user_id: str) -> Sequence[str]:
    """Where a user may sign in to: the organizations of the active memberships."""
    memberships = (store.memberships.read(key) for key in store.roster.of_user(user_id))
    return [one["organization_id"] for one in memberships if one and one["status"] == ACTIVE]


def _drop(store: Store, session_id: str) -> None:
    """Forget a session and what it could have been refreshed with."""
    store.sessions.remove(session_id)
    store.refreshes.pop(session_id, None)


def _session(store: Store, user_id: str, moment: int) -> dict[str, Any]:
    created_at = clock.stamp(moment)
    return {
        "object": "session",
        "id": store.new_id("session", moment),
        "user_id": user_id,
        "auth_method": PASSWORD,
        "status": "active",
        "ip_address": None,
        "user_agent": None,
        "expires_at": clock.stamp(moment + _LIFETIME),
        "ended_at": None,
        "created_at": created_at,
        "updated_at": created_at,
    }


def _place(store: Store, user_id: str, organization_id: str | None) -> dict[str, str]:
    """The organization of a session: the one chosen, else the user's only one; without either it has none."""
    choice = [organization_id] if organization_id is not None else organizations_of(store, user_id)
    return {"organization_id": choice[0]} if len(choice) == 1 else {}


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
    Route("/user_management/users/{id}/sessions", list_sessions),
    Route("/user_management/sessions/revoke", revoke_session, methods=["POST"]),
]
