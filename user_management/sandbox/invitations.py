from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, derive, errors, listing, organization_memberships, replies
from user_management.sandbox.roster import ACTIVE, PENDING
from user_management.sandbox.store import Store, store_of

CREATION: Final = {
    "email": bodies.TEXT,
    "organization_id": bodies.NULLABLE_TEXT,
    "role_slug": bodies.NULLABLE_TEXT,
    "expires_in_days": (int, type(None)),
    "inviter_user_id": bodies.NULLABLE_TEXT,
    "locale": bodies.NULLABLE_TEXT,
}
ACCEPTED: Final = "accepted"
REVOKED: Final = "revoked"
EXPIRED: Final = "expired"
LIFETIME_DAYS: Final = 7
_LONGEST_DAYS: Final = 30
_SECRETS: Final = ("token", "accept_invitation_url")
_ENDED: Final = {
    EXPIRED: ("invite_expired", "Invite has expired."),
    REVOKED: ("invite_revoked", "Invite has been revoked."),
    ACCEPTED: ("invite_accepted", "Invite has already been accepted."),
}


def blank(store: Store, invitation_id: str, fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A pending invitation in the shape of the REST API, with its token."""
    token = derive.text(store, "invitation", invitation_id)
    days = fields.get("expires_in_days") or LIFETIME_DAYS
    given = {name: fields.get(name) for name in ("organization_id", "inviter_user_id", "role_slug")}
    return {
        "object": "invitation",
        "id": invitation_id,
        "email": fields["email"],
        "state": PENDING,
        "accepted_at": None,
        "revoked_at": None,
        "expires_at": clock.stamp(moment + days * clock.DAY),
        "accepted_user_id": None,
        **given,
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
        "token": token,
        "accept_invitation_url": f"https://sandbox.authkit.example/invite?invitation_token={token}",
    }


def lean(invitation: dict[str, Any]) -> bytes:
    """The JSON of an invitation as events carry it: without its token and the address that carries it."""
    return orjson.dumps({key: value for key, value in invitation.items() if key not in _SECRETS})


def shown(store: Store, invitation_id: str) -> dict[str, Any]:
    """An invitation as it reads now: one that was pending has expired when its time is over, which no event tells."""
    invitation = listing.one(store.invitations, invitation_id)
    if invitation["state"] == PENDING and invitation["expires_at"] <= clock.stamp(store.now()):
        invitation["state"] = EXPIRED
    return invitation


def send(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new invitation, to an organization or to the application alone."""
    fields = fields | {"email": fields["email"].strip().lower()}
    _check(store, fields)
    _check_email(store, fields["email"], fields.get("organization_id"))
    moment = store.now()
    invitation = blank(store, store.new_id("invitation", moment), fields, moment)
    _save(store, invitation, "created", moment)
    return invitation


def resend(store: Store, invitation_id: str) -> dict[str, Any]:
    """Send a pending invitation once more."""
    invitation = shown(store, invitation_id)
    if invitation["state"] != PENDING:
        raise errors.refused(*_ENDED[invitation["state"]])
    moment = store.now()
    _save(store, invitation | {"updated_at": clock.stamp(moment)}, "resent", moment)
    return shown(store, invitation_id)


def revoke(store: Store, invitation_id: str) -> dict[str, Any]:
    """Take a pending invitation back."""
    moment = store.now()
    return _end(store, _pending(store, invitation_id), REVOKED, moment, revoked_at=clock.stamp(moment))


def accept(store: Store, invitation_id: str) -> dict[str, Any]:
    """Let the person of the invited address join: their membership begins or becomes active. Nobody is signed in."""
    invitation = _pending(store, invitation_id)
    user_id = store.emails.get(invitation["email"])
    if user_id is None:
        raise errors.refused("invalid_invite", "No user has the address that was invited.")
    moment = store.now()
    if invitation["organization_id"] is not None:
        organization_memberships.welcome(store, user_id, invitation["organization_id"], invitation["role_slug"])
    return _end(store, invitation, ACCEPTED, moment, accepted_at=clock.stamp(moment), accepted_user_id=user_id)


def forget(store: Store, organization_id: str) -> None:
    """Drop the invitations to a deleted organization without a word."""
    for invitation_id in list(store.invitations.of("organization_id", organization_id)):
        store.invitations.remove(invitation_id)


def _pending(store: Store, invitation_id: str) -> dict[str, Any]:
    invitation = shown(store, invitation_id)
    if invitation["state"] != PENDING:
        raise errors.refused("invite_not_pending", "Invite is not pending.")
    return invitation


def _end(store: Store, invitation: dict[str, Any], state: str, moment: int, **changes: Any) -> dict[str, Any]:
    invitation = invitation | changes | {"state": state, "updated_at": clock.stamp(moment)}
    _save(store, invitation, state, moment)
    return invitation


def _save(store: Store, invitation: dict[str, Any], verb: str, moment: int) -> None:
    store.invitations.write(invitation)
    store.emit(f"invitation.{verb}", lean(invitation), moment, invitation["organization_id"])


def _check(store: Store, fields: dict[str, Any]) -> None:
    organization_id, inviter_id = fields.get("organization_id"), fields.get("inviter_user_id")
    if organization_id is not None:
        listing.organization(store, organization_id)
    if inviter_id is not None:
        listing.one(store.users, inviter_id)
    if fields.get("role_slug") is not None and not organization_memberships.has_role(
        store, organization_id or "", fields["role_slug"]
    ):
        raise errors.refused("invalid_role", f"Role '{fields['role_slug']}' is not a valid role.")
    days = fields.get("expires_in_days")
    if days is not None and not 1 <= days <= _LONGEST_DAYS:
        code = "expires_in_days_too_short" if days < 1 else "expires_in_days_too_long"
        raise errors.refused(code, "expires_in_days must be between 1 and 30.")


def _check_email(store: Store, email: str, organization_id: str | None) -> None:
    """Refuse to invite who is invited or in already."""
    if "@" not in email:
        raise errors.refused("invalid_email", "This email is invalid.")
    user_id = store.emails.get(email)
    if organization_id is None and user_id is not None:
        raise errors.refused("user_already_exists", "A user with this email already exists.")
    membership = user_id and organization_id and organization_memberships.find(store, user_id, organization_id)
    if membership and membership["status"] == ACTIVE:
        raise errors.refused("user_already_organization_member", "The user is already a member of the organization.")
    invited = (shown(store, key) for key in store.invitations.of("email", email))
    if any(one["state"] == PENDING and one["organization_id"] == organization_id for one in invited):
        code = "email_already_invited" if organization_id is None else "email_already_invited_to_organization"
        raise errors.refused(code, "This email is invited already.")


def _render(store: Store, invitation_id: str) -> bytes:
    return orjson.dumps(shown(store, invitation_id))


async def list_invitations(request: Request) -> Response:
    """Invitations, newest first unless told, to an organization or an address if named."""
    store, parameters = store_of(request), request.query_params
    organization_id, email = parameters.get("organization_id"), parameters.get("email")
    ids = store.invitations.ids if not organization_id else store.invitations.of("organization_id", organization_id)
    if email:
        ids = listing.matching(store.invitations, ids, email=email.strip().lower())
    return listing.respond(request, store.invitations, ids, lambda key: _render(store, key))


async def get_invitation(request: Request) -> Response:
    """One invitation by id."""
    return replies.ok(_render(store_of(request), request.path_params["id"]))


async def get_invitation_by_token(request: Request) -> Response:
    """One invitation by its token."""
    store, token = store_of(request), request.path_params["token"]
    found = store.invitations.of("token", token)
    if not found:
        raise errors.not_found("Invitation", token)
    return replies.ok(_render(store, found[0]))


async def send_invitation(request: Request) -> Response:
    """201 with the new invitation."""
    fields = await bodies.read(request, CREATION, required=("email",))
    invitation = send(store_of(request), fields)
    return replies.wrote(request, invitation["id"], orjson.dumps(invitation), status=201)


async def resend_invitation(request: Request) -> Response:
    """The invitation, sent once more."""
    return _wrote(request, resend(store_of(request), request.path_params["id"]))


async def revoke_invitation(request: Request) -> Response:
    """The invitation, revoked."""
    return _wrote(request, revoke(store_of(request), request.path_params["id"]))


async def accept_invitation(request: Request) -> Response:
    """The invitation, accepted by the user who has its address."""
    return _wrote(request, accept(store_of(request), request.path_params["id"]))


def _wrote(request: Request, invitation: dict[str, Any]) -> Response:
    return replies.wrote(request, invitation["id"], orjson.dumps(invitation))


_PATH: Final = "/user_management/invitations"
ROUTES: Final = [
    Route(_PATH, list_invitations),
    Route(_PATH, send_invitation, methods=["POST"]),
    Route(_PATH + "/by_token/{token}", get_invitation_by_token),
    Route(_PATH + "/{id}", get_invitation),
    Route(_PATH + "/{id}/resend", resend_invitation, methods=["POST"]),
    Route(_PATH + "/{id}/revoke", revoke_invitation, methods=["POST"]),
    Route(_PATH + "/{id}/accept", accept_invitation, methods=["POST"]),
]
