from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, listing, replies, roles
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.store import Store, store_of

CREATION: Final = {
    "slug": bodies.TEXT,
    "name": bodies.TEXT,
    "description": bodies.NULLABLE_TEXT,
    "resource_type_slug": bodies.TEXT,
}
CHANGE: Final = {"name": bodies.TEXT, "description": bodies.NULLABLE_TEXT}
_PERMISSIONS: Final = (
    ("users:view", "View users", "See the people of the organization"),
    ("users:manage", "Manage users", None),
    ("billing:manage", "Manage billing", "Change plans and pay invoices"),
    ("reports:view", "View reports", None),
    ("reports:export", "Export reports", None),
)


def blank(permission_id: str, fields: dict[str, Any], moment: int, *, system: bool = False) -> dict[str, Any]:
    """A permission, in the shape that lists and events share."""
    return {
        "object": "permission",
        "id": permission_id,
        "slug": fields["slug"],
        "name": fields["name"],
        "description": fields.get("description"),
        "system": system,
        "resource_type_slug": fields.get("resource_type_slug", "organization"),
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def install(store: Store, identifiers: Identifiers, moment: int) -> None:
    """Give the environment the permissions that its roles have, and one of WorkOS's own."""
    for slug, name, description in _PERMISSIONS:
        fields = {"slug": slug, "name": name, "description": description}
        store.permissions.write(blank(identifiers.new("perm", moment), fields, moment))
    fields = {"slug": "widgets:users-table:manage", "name": "Manage the users table"}
    store.permissions.write(blank(identifiers.new("perm", moment), fields, moment, system=True))


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new permission; 409 when its slug is taken."""
    if store.permissions.of("slug", fields["slug"]):
        message = f"A permission with slug '{fields['slug']}' already exists."
        raise errors.ApiError(409, {"message": message, "code": "permission_slug_conflict"})
    moment = store.now()
    permission = blank(store.new_id("perm", moment), fields, moment)
    store.emit("permission.created", store.permissions.write(permission), moment)
    return permission


def update(store: Store, slug: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Change the name or the description; a change of nothing emits nothing."""
    permission, moment = _own(store, slug), store.now()
    previous = {key: permission[key] for key, value in fields.items() if permission[key] != value}
    if previous:
        permission |= fields | {"updated_at": clock.stamp(moment)}
        store.emit("permission.updated", store.permissions.write(permission), moment, previous=previous)
    return permission


def delete(store: Store, slug: str) -> dict[str, Any]:
    """Remove a permission for good, from the roles that have it too."""
    permission = _own(store, slug)
    roles.lose(store, slug)
    blob = store.permissions.blobs[permission["id"]]
    store.permissions.remove(permission["id"])
    store.emit("permission.deleted", blob, store.now())
    return permission


def get(store: Store, slug: str) -> dict[str, Any]:
    """The permission of a slug, or 404."""
    found = store.permissions.all("slug", slug)
    if not found:
        raise errors.not_found("Permission", slug)
    return found[0]


def _own(store: Store, slug: str) -> dict[str, Any]:
    permission = get(store, slug)
    if permission["system"]:
        raise errors.ApiError(403, {"message": "System permissions cannot be changed."})
    return permission


async def list_permissions(request: Request) -> Response:
    """Permissions, newest first unless told."""
    return listing.respond(request, store_of(request).permissions)


async def get_permission(request: Request) -> Response:
    """One permission by its slug."""
    return replies.ok(orjson.dumps(get(store_of(request), request.path_params["slug"])))


async def create_permission(request: Request) -> Response:
    """201 with the new permission."""
    permission = create(store_of(request), await bodies.read(request, CREATION, required=("slug", "name")))
    return replies.wrote(request, permission["id"], orjson.dumps(permission), status=201)


async def update_permission(request: Request) -> Response:
    """The permission after the change."""
    permission = update(store_of(request), request.path_params["slug"], await bodies.read(request, CHANGE))
    return replies.wrote(request, permission["id"], orjson.dumps(permission))


async def delete_permission(request: Request) -> Response:
    """204."""
    permission = delete(store_of(request), request.path_params["slug"])
    return replies.wrote(request, permission["id"], status=204)


_PATH: Final = "/authorization/permissions"
ROUTES: Final = [
    Route(_PATH, list_permissions),
    Route(_PATH, create_permission, methods=["POST"]),
    Route(_PATH + "/{slug}", get_permission),
    Route(_PATH + "/{slug}", update_permission, methods=["PATCH"]),
    Route(_PATH + "/{slug}", delete_permission, methods=["DELETE"]),
]
