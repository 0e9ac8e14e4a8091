from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, pages, replies, roles, sessions
from user_management.sandbox.roster import ACTIVE, INACTIVE, PENDING, STATUSES
from user_management.sandbox.store import Store, store_of

CREATION: Final = {
    "user_id": bodies.TEXT,
    "organization_id": bodies.TEXT,
    "role_slug": bodies.NULLABLE_TEXT,
    "role_slugs": bodies.ARRAY,
}
CHANGE: Final = {"role_slug": bodies.NULLABLE_TEXT, "role_slugs": bodies.ARRAY}


def blank(membership_id: str, user_id: str, organization_id: str, moment: int) -> dict[str, Any]:
    """An active membership with the default role, in the lean shape of events."""
    created_at = clock.stamp(moment)
    return {
        "object": "organization_membership",
        "id": membership_id,
        "user_id": user_id,
        "organization_id": organization_id,
        "status": ACTIVE,
        "role": {"slug": roles.DEFAULT},
        "roles": [{"slug": roles.DEFAULT}],
        "custom_attributes": {},
        "directory_managed": False,
        "created_at": created_at,
        "updated_at": created_at,
    }


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new active membership; an inactive one of the same pair is reactivated with the roles given."""
    user_id, organization_id = fields["user_id"], fields["organization_id"]
    if user_id not in store.users.blobs:
        raise errors.not_found("User", user_id)
    if organization_id not in store.organizations.blobs:
        raise errors.not_found("Organization", organization_id)
    wanted = _roles(store, fields, organization_id) or [{"slug": roles.DEFAULT}]
    existing = find(store, user_id, organization_id)
    if existing is not None:
        return _rejoin(store, existing, wanted)
    moment = store.now()
    membership = blank(store.new_id("om", moment), user_id, organization_id, moment)
    _change(membership, role=wanted[0], roles=wanted)
    store.roster.add(membership["id"], user_id, organization_id, ACTIVE)
    blob = store.memberships.write(membership)
    store.emit("organization_membership.created", blob, moment, organization_id)
    return membership


def update(store: Store, membership_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Change the roles; a change of nothing emits nothing."""
    membership = _get(store, membership_id)
    wanted = _roles(store, fields, membership["organization_id"])
    if wanted and wanted != membership["roles"]:
        _save(store, membership, role=wanted[0], roles=wanted)
    return membership


def deactivate(store: Store, membership_id: str) -> dict[str, Any]:
    """Make a membership inactive and revoke its sessions; nothing happens if it is so already."""
    membership = _get(store, membership_id)
    if membership["status"] == PENDING:
        raise errors.refused(
            "cannot_deactivate_pending_organization_membership",
            "A pending organization membership cannot be deactivated. This membership should be deleted instead.",
        )
    if membership["status"] == ACTIVE:
        sessions.revoke_all(store, membership["user_id"], membership["organization_id"])
        _save(store, membership, status=INACTIVE)
    return membership


def reactivate(store: Store, membership_id: str) -> dict[str, Any]:
    """Make a membership active with its roles as they were; nothing happens if it is so already."""
    membership = _get(store, membership_id)
    _refuse_pending(membership)
    if membership["status"] == INACTIVE:
        _save(store, membership, status=ACTIVE)
    return membership


def delete(store: Store, membership_id: str) -> None:
    """Remove a membership for good; the same pair may join again under a new id."""
    membership = _remove(store, membership_id)
    store.emit("organization_membership.deleted", orjson.dumps(membership), store.now(), membership["organization_id"])


def delete_all(store: Store, membership_ids: Iterable[str]) -> None:
    """Remove what a deleted parent leaves behind, with an event for each if the sandbox is told so."""
    erase = delete if store.config.cascade_events else _remove
    for membership_id in list(membership_ids):
        erase(store, membership_id)


def has_role(store: Store, organization_id: str, slug: str) -> bool:
    """Whether an organization may give a role: the environment's, or one of its own."""
    own = store.organization_roles.all("organization_id", organization_id)
    return slug in store.roles or any(role["slug"] == slug for role in own)


def welcome(store: Store, user_id: str, organization_id: str, role_slug: str | None) -> None:
    """Make a user an active member, whatever they were; who is one already stays as they are."""
    existing = find(store, user_id, organization_id)
    if existing is None:
        create(store, {"user_id": user_id, "organization_id": organization_id, "role_slug": role_slug})
    elif existing["status"] != ACTIVE:
        slug = role_slug or existing["role"]["slug"]
        _save(store, existing, status=ACTIVE, role={"slug": slug}, roles=[{"slug": slug}])


def find(store: Store, user_id: str, organization_id: str) -> dict[str, Any] | None:
    """The membership of a pair, whatever its status."""
    candidates = (store.memberships.read(key) for key in store.roster.of_user(user_id))
    return next((one for one in candidates if one and one["organization_id"] == organization_id), None)


def render(store: Store, membership_id: str) -> bytes:
    """A membership as the REST API shows it: the event's keys, the organization's name and the whole user."""
    blob = store.memberships.blobs[membership_id]
    membership = orjson.loads(blob)
    organization = store.organizations.read(membership["organization_id"]) or {"name": ""}
    name, user = orjson.dumps(organization["name"]), store.users.blobs[membership["user_id"]]
    return b"".join((blob[:-1], b',"organization_name":', name, b',"user":', user, b"}"))


def _remove(store: Store, membership_id: str) -> dict[str, Any]:
    membership = _get(store, membership_id)
    user_id, organization_id = membership["user_id"], membership["organization_id"]
    store.roster.remove(membership_id, user_id, organization_id, membership["status"])
    for key in list(store.group_members.of("organization_membership_id", membership_id)):
        store.group_members.remove(key)
    store.memberships.remove(membership_id)
    return membership


def _rejoin(store: Store, membership: dict[str, Any], wanted: list[dict[str, str]]) -> dict[str, Any]:
    _refuse_pending(membership)
    if membership["status"] == ACTIVE:
        message = "The user is already a member of the organization."
        raise errors.refused("user_already_organization_member", message)
    _save(store, membership, status=ACTIVE, role=wanted[0], roles=wanted)
    return membership


def _refuse_pending(membership: dict[str, Any]) -> None:
    if membership["status"] == PENDING:
        raise errors.refused(
            "cannot_reactivate_pending_organization_membership",
            "A pending organization membership cannot be reactivated. The user needs to accept the invitation instead.",
        )


def _get(store: Store, membership_id: str) -> dict[str, Any]:
    membership = store.memberships.read(membership_id)
    if membership is None:
        raise errors.not_found("Organization membership", membership_id)
    return membership


def _change(membership: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Apply changes and return the values that were there before."""
    previous = {key: membership[key] for key, value in changes.items() if membership[key] != value}
    membership.update(changes)
    return previous


def _save(store: Store, membership: dict[str, Any], **changes: Any) -> None:
    """Apply changes, move `updated_at`, and tell."""
    moment, former = store.now(), membership["status"]
    previous = _change(membership, **changes)
    membership["updated_at"] = clock.stamp(moment)
    organization_id = membership["organization_id"]
    if membership["status"] != former:
        store.roster.move(membership["id"], organization_id, former, membership["status"])
    blob = store.memberships.write(membership)
    store.emit("organization_membership.updated", blob, moment, organization_id, previous)


def _roles(store: Store, fields: dict[str, Any], organization_id: str) -> list[dict[str, str]]:
    """The roles asked for; one only, as an environment without multiple roles allows."""
    slugs = bodies.texts("role_slugs", fields.get("role_slugs", [])) or [
        slug for slug in (fields.get("role_slug"),) if slug is not None
    ]
    if fields.get("role_slugs") is not None and fields.get("role_slug") is not None:
        raise errors.invalid("role_slugs", "mutually_exclusive", "role_slug and role_slugs exclude each other.")
    if len(slugs) > 1:
        message = "Multiple roles are not enabled for this environment."
        raise errors.unprocessable("multiple_roles_not_enabled", message)
    for slug in slugs:
        if not has_role(store, organization_id, slug):
            raise errors.unprocessable("invalid_role", f"Role '{slug}' is not a valid role.")
    return [{"slug": slug} for slug in slugs]


async def list_organization_memberships(request: Request) -> Response:
    """Memberships of a user or an organization, one of which must be named; only active ones unless told."""
    store, parameters = store_of(request), request.query_params
    user_id, organization_id = parameters.get("user_id"), parameters.get("organization_id")
    if not user_id and not organization_id:
        raise errors.refused("missing_user_id_or_organization_id", "Either user_id or organization_id is required.")
    statuses = _statuses([*parameters.getlist("statuses"), *parameters.getlist("statuses[]")])
    wanted = pages.cut(parameters, store.memberships.blobs)
    page = pages.take(_select(store, user_id, organization_id or "", statuses), wanted)
    return replies.ok(pages.render([render(store, key) for key in page.ids], page))


def _statuses(texts: list[str]) -> frozenset[str]:
    statuses = frozenset(name for text in texts for name in text.split(",") if name)
    if not statuses <= STATUSES:
        raise errors.invalid("statuses", "statuses_invalid", "statuses must be active, inactive or pending.")
    return statuses or frozenset({ACTIVE})


def _select(store: Store, user_id: str | None, organization_id: str, statuses: frozenset[str]) -> Sequence[str]:
    """The ids of an organization come from its index, those of a user from reading its few memberships."""
    if not user_id:
        return store.roster.of_organization(organization_id, statuses)
    found = (store.memberships.read(key) for key in store.roster.of_user(user_id))
    return [
        one["id"]
        for one in found
        if one and one["status"] in statuses and organization_id in {"", one["organization_id"]}
    ]


async def create_organization_membership(request: Request) -> Response:
    """201 with the new or the reactivated membership."""
    fields = await bodies.read(request, CREATION, required=("user_id", "organization_id"))
    return _wrote(request, create(store_of(request), fields), status=201)


async def get_organization_membership(request: Request) -> Response:
    """One membership by id."""
    store, membership_id = store_of(request), request.path_params["id"]
    _get(store, membership_id)
    return replies.ok(render(store, membership_id))


async def update_organization_membership(request: Request) -> Response:
    """The membership with its new role."""
    fields = await bodies.read(request, CHANGE)
    return _wrote(request, update(store_of(request), request.path_params["id"], fields))


async def delete_organization_membership(request: Request) -> Response:
    """200 without a body."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"])


async def deactivate_organization_membership(request: Request) -> Response:
    """The membership, inactive."""
    return _wrote(request, deactivate(store_of(request), request.path_params["id"]))


async def reactivate_organization_membership(request: Request) -> Response:
    """The membership, active."""
    return _wrote(request, reactivate(store_of(request), request.path_params["id"]))


def _wrote(request: Request, membership: dict[str, Any], *, status: int = 200) -> Response:
    body = render(store_of(request), membership["id"])
    return replies.wrote(request, membership["id"], body, status=status)


_PATH: Final = "/user_management/organization_memberships"
ROUTES: Final = [
    Route(_PATH, list_organization_memberships),
    Route(_PATH, create_organization_membership, methods=["POST"]),
    Route(_PATH + "/{id}", get_organization_membership),
    Route(_PATH + "/{id}", update_organization_membership, methods=["PUT"]),
    Route(_PATH + "/{id}", delete_organization_membership, methods=["DELETE"]),
    Route(_PATH + "/{id}/deactivate", deactivate_organization_membership, methods=["PUT"]),
    Route(_PATH + "/{id}/reactivate", reactivate_organization_membership, methods=["PUT"]),
]
