from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, errors, groups, listing, organization_memberships, replies
from user_management.sandbox.store import Store, store_of

ADDITION: Final = {"organization_membership_id": bodies.TEXT}
CHANGE: Final = {"add": bodies.ARRAY, "remove": bodies.ARRAY}
_MOST: Final = 100


def memberships(store: Store, group_id: str) -> list[str]:
    """The memberships in a group, ascending."""
    return [one["organization_membership_id"] for one in store.group_members.all("group_id", group_id)]


def render(store: Store, membership_id: str) -> bytes:
    """A member as the lists of groups show it: a membership with its user, without its roles."""
    shown = orjson.loads(organization_memberships.render(store, membership_id))
    return orjson.dumps({key: value for key, value in shown.items() if key not in {"role", "roles"}})


async def list_members(request: Request) -> Response:
    """The memberships in a group, newest first unless told."""
    store, group_id = store_of(request), request.path_params["group"]
    groups.get(store, request.path_params["id"], group_id)
    return listing.respond(request, store.memberships, memberships(store, group_id), lambda key: render(store, key))


async def add_member(request: Request) -> Response:
    """The group, with one member more."""
    fields = await bodies.read(request, ADDITION, required=("organization_membership_id",))
    store, organization_id, group_id = store_of(request), request.path_params["id"], request.path_params["group"]
    groups.change_members(store, organization_id, group_id, [fields["organization_membership_id"]], [])
    return replies.wrote(request, group_id, store.groups.blobs[group_id])


async def change_members(request: Request) -> Response:
    """204 after adding and removing up to a hundred members."""
    fields = await bodies.read(request, CHANGE)
    add, remove = _ids(fields, "add"), _ids(fields, "remove")
    if not 1 <= len(add) + len(remove) <= _MOST or set(add) & set(remove):
        raise errors.invalid("add", "add_invalid", "add and remove must hold 1 to 100 different ids.")
    groups.change_members(store_of(request), request.path_params["id"], request.path_params["group"], add, remove)
    return replies.wrote(request, request.path_params["group"], status=204)


async def remove_member(request: Request) -> Response:
    """204 after taking one member out; 404 when it was not in."""
    store, group_id, membership_id = store_of(request), request.path_params["group"], request.path_params["member"]
    groups.get(store, request.path_params["id"], group_id)
    if f"{group_id}:{membership_id}" not in store.group_members.blobs:
        raise errors.not_found("Group membership", membership_id)
    groups.change_members(store, request.path_params["id"], group_id, [], [membership_id])
    return replies.wrote(request, group_id, status=204)


async def list_groups_of_membership(request: Request) -> Response:
    """The groups a membership is in, newest first unless told."""
    store, membership_id = store_of(request), request.path_params["id"]
    listing.one(store.memberships, membership_id)
    found = store.group_members.all("organization_membership_id", membership_id)
    return listing.respond(request, store.groups, sorted(one["group_id"] for one in found))


def _ids(fields: dict[str, Any], name: str) -> list[str]:
    return bodies.texts(name, fields.get(name, []))


_PATH: Final = groups.PATH + "/{group}/organization-memberships"
ROUTES: Final = [
    Route(_PATH, list_members),
    Route(_PATH, add_member, methods=["POST"]),
    Route(_PATH, change_members, methods=["PATCH"]),
    Route(_PATH + "/{member}", remove_member, methods=["DELETE"]),
    Route("/user_management/organization_memberships/{id}/groups", list_groups_of_membership),
]
