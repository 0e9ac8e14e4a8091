from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, errors, replies
from user_management.sandbox.store import Store, store_of

DEFAULT: Final = "member"
_ROLES: Final = (
    ("admin", "Admin", "Manages the organization and its people", ["users:manage", "billing:manage"]),
    ("member", "Member", "The default role of every member", ["users:view"]),
    ("billing", "Billing", None, ["billing:manage"]),
    ("viewer", "Viewer", "Sees everything and changes nothing", ["users:view"]),
)


def install(store: Store, moment: int) -> None:
    """Give the environment its four roles, in order of priority."""
    for slug, name, description, permissions in _ROLES:
        role = {
            "object": "role",
            "id": store.new_id("role", moment),
            "slug": slug,
            "name": name,
            "description": description,
            "type": "EnvironmentRole",
            "resource_type_slug": "organization",
            "permissions": permissions,
            "created_at": clock.stamp(moment),
            "updated_at": clock.stamp(moment),
        }
        store.roles[slug] = orjson.dumps(role)


async def list_roles(request: Request) -> Response:
    """Every role in order of priority, on one page."""
    blobs = store_of(request).roles.values()
    return replies.ok(b'{"object":"list","data":[' + b",".join(blobs) + b"]}")


async def list_organization_roles(request: Request) -> Response:
    """The roles an organization may give: those of the environment, as it has none of its own."""
    organization_id = request.path_params["id"]
    if organization_id not in store_of(request).organizations.blobs:
        raise errors.not_found("Organization", organization_id)
    return await list_roles(request)


async def get_role(request: Request) -> Response:
    """One role by its slug."""
    slug = request.path_params["slug"]
    blob = store_of(request).roles.get(slug)
    if blob is None:
        raise errors.not_found("Role", slug)
    return replies.ok(blob)


ROUTES: Final = [
    Route("/authorization/roles", list_roles),
    Route("/authorization/roles/{slug}", get_role),
    Route("/authorization/organizations/{id}/roles", list_organization_roles),
]
