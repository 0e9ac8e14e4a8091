from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, replies
from user_management.sandbox.store import Store, store_of

DEFAULT: Final = "member"
CREATION: Final = {
    "slug": bodies.TEXT,
    "name": bodies.TEXT,
    "description": bodies.NULLABLE_TEXT,
    "resource_type_slug": bodies.TEXT,
}
CHANGE: Final = {"name": bodies.TEXT, "description": bodies.NULLABLE_TEXT}
GRANTS: Final = {"permissions": bodies.ARRAY}
GRANT: Final = {"slug": bodies.TEXT}
_LENGTHS: Final = {"slug": 48, "name": 48, "description": 150}
_LEAN: Final = ("object", "slug", "resource_type_slug", "permissions", "created_at", "updated_at")
_ROLES: Final = (
    ("admin", "Admin", "Manages the organization and its people", ["users:manage", "billing:manage"]),
    ("member", "Member", "The default role of every member", ["users:view"]),
    ("billing", "Billing", None, ["billing:manage"]),
    ("viewer", "Viewer", "Sees everything and changes nothing", ["users:view"]),
)


def blank(role_id: str, fields: dict[str, Any], moment: int, kind: str = "EnvironmentRole") -> dict[str, Any]:
    """A role as the REST API shows it, without permissions yet."""
    return {
        "object": "role",
        "id": role_id,
        "slug": fields["slug"],
        "name": fields["name"],
        "description": fields.get("description"),
        "type": kind,
        "resource_type_slug": fields.get("resource_type_slug", "organization"),
        "permissions": [],
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def install(store: Store, moment: int) -> None:
    """Give the environment its four roles, in order of priority."""
    for slug, name, description, permissions in _ROLES:
        fields = {"slug": slug, "name": name, "description": description}
        role = blank(store.new_id("role", moment), fields, moment) | {"permissions": permissions}
        store.roles[slug] = orjson.dumps(role)


def lean(role: dict[str, Any]) -> bytes:
    """The JSON of a role as events carry it: neither id nor name nor description."""
    return orjson.dumps({key: role[key] for key in _LEAN})


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new role of the environment, last in priority; 409 when its slug is taken."""
    check(fields)
    if fields["slug"] in store.roles:
        message = f"A role with slug '{fields['slug']}' already exists."
        raise errors.ApiError(409, {"message": message, "code": "role_slug_conflict"})
    moment = store.now()
    role = blank(store.new_id("role", moment), fields, moment)
    store.roles[role["slug"]] = orjson.dumps(role)
    store.emit("role.created", lean(role), moment)
    return role


def update(store: Store, slug: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a role; a change of nothing emits nothing."""
    check(changes)
    role, moment = get(store, slug), store.now()
    previous = {key: role[key] for key, value in changes.items() if role[key] != value}
    if previous:
        role |= changes | {"updated_at": clock.stamp(moment)}
        store.roles[slug] = orjson.dumps(role)
        store.emit("role.updated", lean(role), moment, previous=previous)
    return role


def lose(store: Store, permission: str) -> None:
    """Take a permission that is about to go from every role of the environment and of organizations."""
    for slug in store.roles:
        role = get(store, slug)
        update(store, slug, {"permissions": [one for one in role["permissions"] if one != permission]})
    for key in store.organization_roles.ids:
        role = orjson.loads(store.organization_roles.blobs[key])
        if permission in role["permissions"]:
            role["permissions"].remove(permission)
            role["updated_at"] = clock.stamp(store.now())
            save_own(store, role, "updated", store.now())


def save_own(store: Store, role: dict[str, Any], verb: str, moment: int) -> None:
    """Keep a role of an organization and tell, in words of its own: an event has no id."""
    hidden = ("id", "type")
    store.organization_roles.write(role)
    data = {key: value for key, value in role.items() if key not in hidden} | {"object": "organization_role"}
    store.emit(f"organization_role.{verb}", orjson.dumps(data), moment, role["organization_id"])


def get(store: Store, slug: str) -> dict[str, Any]:
    """The environment's role of a slug, or 404."""
    blob = store.roles.get(slug)
    if blob is None:
        raise errors.not_found("Role", slug)
    role: dict[str, Any] = orjson.loads(blob)
    return role


def granted(store: Store, slugs: list[Any]) -> dict[str, Any]:
    """The change of a role to exactly these permissions, each of which there must be."""
    for slug in bodies.texts("permissions", slugs):
        if not store.permissions.of("slug", slug):
            raise errors.not_found("Permission", slug)
    return {"permissions": list(dict.fromkeys(slugs))}


def check(fields: dict[str, Any]) -> None:
    """Refuse what is longer than WorkOS allows, and empty names."""
    for name, length in _LENGTHS.items():
        value = fields.get(name, "-")
        too_short = value == "" and name != "description"
        if value is not None and (too_short or len(value) > length):
            raise errors.invalid(name, f"{name}_invalid", f"{name} must have at most {length} characters.")


async def list_roles(request: Request) -> Response:
    """Every role in order of priority, on one page."""
    blobs = store_of(request).roles.values()
    return replies.ok(b'{"object":"list","data":[' + b",".join(blobs) + b"]}")


async def get_role(request: Request) -> Response:
    """One role by its slug."""
    return replies.ok(orjson.dumps(get(store_of(request), request.path_params["slug"])))


async def create_role(request: Request) -> Response:
    """201 with the new role."""
    role = create(store_of(request), await bodies.read(request, CREATION, required=("slug", "name")))
    return replies.wrote(request, role["id"], orjson.dumps(role), status=201)


async def update_role(request: Request) -> Response:
    """The role after the change."""
    return _wrote(request, update(store_of(request), request.path_params["slug"], await bodies.read(request, CHANGE)))


async def set_permissions(request: Request) -> Response:
    """The role with these permissions and no others."""
    fields, store = await bodies.read(request, GRANTS, required=("permissions",)), store_of(request)
    return _wrote(request, update(store, request.path_params["slug"], granted(store, fields["permissions"])))


async def add_permission(request: Request) -> Response:
    """The role with one permission more."""
    fields, store = await bodies.read(request, GRANT, required=("slug",)), store_of(request)
    slug = request.path_params["slug"]
    permissions = [*get(store, slug)["permissions"], fields["slug"]]
    return _wrote(request, update(store, slug, granted(store, permissions)))


def _wrote(request: Request, role: dict[str, Any]) -> Response:
    return replies.wrote(request, role["id"], orjson.dumps(role))


_PATH: Final = "/authorization/roles"
ROUTES: Final = [
    Route(_PATH, list_roles),
    Route(_PATH, create_role, methods=["POST"]),
    Route(_PATH + "/{slug}", get_role),
    Route(_PATH + "/{slug}", update_role, methods=["PATCH"]),
    Route(_PATH + "/{slug}/permissions", set_permissions, methods=["PUT"]),
    Route(_PATH + "/{slug}/permissions", add_permission, methods=["POST"]),
]
