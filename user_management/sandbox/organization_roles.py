import re
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, listing, replies, roles
from user_management.sandbox.store import Store, store_of

CREATION: Final = roles.CREATION | {"slug": bodies.NULLABLE_TEXT}
_SHOWN: Final = "organization_id"


def blank(role_id: str, organization_id: str, fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A role of one organization, as the sandbox keeps it: what the REST API shows, and whose it is."""
    return roles.blank(role_id, fields, moment, "OrganizationRole") | {"organization_id": organization_id}


def shown(role: dict[str, Any]) -> dict[str, Any]:
    """A role as the REST API shows it, which does not tell whose it is: the path did."""
    return {key: value for key, value in role.items() if key != _SHOWN}


def create(store: Store, organization_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A new role of an organization, its slug made from the name unless given; 409 when the slug is taken."""
    listing.organization(store, organization_id)
    slug = fields.get("slug") or "org-" + re.sub(r"[^a-z0-9]+", "-", fields["name"].lower()).strip("-")
    fields = fields | {"slug": slug}
    roles.check(fields)
    if slug in store.roles or _find(store, organization_id, slug):
        message = f"A role with slug '{slug}' already exists."
        raise errors.ApiError(409, {"message": message, "code": "organization_role_slug_conflict"})
    moment = store.now()
    role = blank(store.new_id("role", moment), organization_id, fields, moment)
    roles.save_own(store, role, "created", moment)
    return role


def update(store: Store, organization_id: str, slug: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a role of an organization; a change of nothing emits nothing."""
    roles.check(changes)
    role, moment = own(store, organization_id, slug), store.now()
    if any(role[key] != value for key, value in changes.items()):
        role |= changes | {"updated_at": clock.stamp(moment)}
        roles.save_own(store, role, "updated", moment)
    return role


def delete(store: Store, organization_id: str, slug: str) -> dict[str, Any]:
    """Remove a role that nobody has any more; 409 as long as somebody has it."""
    role = own(store, organization_id, slug)
    members = (store.memberships.read(key) for key in store.roster.of_organization(organization_id))
    if any(one and {"slug": slug} in one["roles"] for one in members):
        message = "Role has assignments. Reassign its members first."
        raise errors.ApiError(409, {"message": message, "code": "role_has_assignments"})
    roles.save_own(store, role, "deleted", store.now())
    store.organization_roles.remove(role["id"])
    return role


def forget(store: Store, organization_id: str) -> None:
    """Drop the roles of a deleted organization without a word."""
    for role_id in list(store.organization_roles.of("organization_id", organization_id)):
        store.organization_roles.remove(role_id)


def own(store: Store, organization_id: str, slug: str) -> dict[str, Any]:
    """The organization's own role of a slug, or 404."""
    found = _find(store, listing.organization(store, organization_id), slug)
    if found is None:
        raise errors.not_found("Role", slug)
    return found


def _find(store: Store, organization_id: str, slug: str) -> dict[str, Any] | None:
    ours = store.organization_roles.all("organization_id", organization_id)
    return next((role for role in ours if role["slug"] == slug), None)


async def list_organization_roles(request: Request) -> Response:
    """The roles an organization may give, on one page: those of the environment by priority, then its own."""
    store = store_of(request)
    organization_id = listing.organization(store, request.path_params["id"])
    ours = store.organization_roles.all("organization_id", organization_id)
    blobs = [*store.roles.values(), *(orjson.dumps(shown(role)) for role in ours)]
    return replies.ok(b'{"object":"list","data":[' + b",".join(blobs) + b"]}")


async def get_organization_role(request: Request) -> Response:
    """One role that an organization may give, by its slug."""
    store, slug = store_of(request), request.path_params["slug"]
    found = _find(store, listing.organization(store, request.path_params["id"]), slug)
    return replies.ok(orjson.dumps(roles.get(store, slug) if found is None else shown(found)))


async def create_organization_role(request: Request) -> Response:
    """201 with the new role."""
    fields = await bodies.read(request, CREATION, required=("name",))
    return _wrote(request, create(store_of(request), request.path_params["id"], fields), status=201)


async def update_organization_role(request: Request) -> Response:
    """The role after the change."""
    return _change(request, await bodies.read(request, roles.CHANGE))


async def set_permissions(request: Request) -> Response:
    """The role with these permissions and no others."""
    fields = await bodies.read(request, roles.GRANTS, required=("permissions",))
    return _change(request, roles.granted(store_of(request), fields["permissions"]))


async def add_permission(request: Request) -> Response:
    """The role with one permission more."""
    fields = await bodies.read(request, roles.GRANT, required=("slug",))
    return _change(request, roles.granted(store_of(request), [*_permissions(request), fields["slug"]]))


async def remove_permission(request: Request) -> Response:
    """The role with one permission less."""
    lost, former = request.path_params["permission"], _permissions(request)
    if lost not in former:
        raise errors.not_found("Permission", lost)
    return _change(request, {"permissions": [slug for slug in former if slug != lost]})


async def delete_organization_role(request: Request) -> Response:
    """204."""
    role = delete(store_of(request), request.path_params["id"], request.path_params["slug"])
    return replies.wrote(request, role["id"], status=204)


def _permissions(request: Request) -> list[str]:
    role = own(store_of(request), request.path_params["id"], request.path_params["slug"])
    permissions: list[str] = role["permissions"]
    return permissions


def _change(request: Request, changes: dict[str, Any]) -> Response:
    return _wrote(request, update(store_of(request), request.path_params["id"], request.path_params["slug"], changes))


def _wrote(request: Request, role: dict[str, Any], *, status: int = 200) -> Response:
    return replies.wrote(request, role["id"], orjson.dumps(shown(role)), status=status)


_PATH: Final = "/authorization/organizations/{id}/roles"
ROUTES: Final = [
    Route(_PATH, list_organization_roles),
    Route(_PATH, create_organization_role, methods=["POST"]),
    Route(_PATH + "/{slug}", get_organization_role),
    Route(_PATH + "/{slug}", update_organization_role, methods=["PATCH"]),
    Route(_PATH + "/{slug}", delete_organization_role, methods=["DELETE"]),
    Route(_PATH + "/{slug}/permissions", set_permissions, methods=["PUT"]),
    Route(_PATH + "/{slug}/permissions", add_permission, methods=["POST"]),
    Route(_PATH + "/{slug}/permissions/{permission}", remove_permission, methods=["DELETE"]),
]
