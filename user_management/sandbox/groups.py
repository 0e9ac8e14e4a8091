from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, errors, listing, replies
from user_management.sandbox.store import Store, store_of

CREATION: Final = {"name": bodies.TEXT, "description": bodies.NULLABLE_TEXT}


def blank(group_id: str, organization_id: str, fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A group of an organization, in the shape that lists and events share."""
    return {
        "object": "group",
        "id": group_id,
        "organization_id": organization_id,
        "name": fields["name"],
        "description": fields.get("description"),
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def member(group_id: str, membership_id: str, moment: int) -> dict[str, Any]:
    """A membership's place in a group; WorkOS has no object for it, only the pair."""
    return {
        "object": "group_membership",
        "id": f"{group_id}:{membership_id}",
        "group_id": group_id,
        "organization_membership_id": membership_id,
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def create(store: Store, organization_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A new group without members."""
    listing.organization(store, organization_id)
    _check(fields)
    moment = store.now()
    group = blank(store.new_id("group", moment), organization_id, fields, moment)
    store.emit("group.created", store.groups.write(group), moment, organization_id)
    return group


def update(store: Store, organization_id: str, group_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Change the name or the description; a change of nothing emits nothing."""
    _check(fields)
    group, moment = get(store, organization_id, group_id), store.now()
    previous = {key: group[key] for key, value in fields.items() if group[key] != value}
    if previous:
        group |= fields | {"updated_at": clock.stamp(moment)}
        store.emit("group.updated", store.groups.write(group), moment, organization_id, previous)
    return group


def delete(store: Store, organization_id: str, group_id: str) -> None:
    """Remove a group for good; its members leave it without a word."""
    get(store, organization_id, group_id)
    blob = store.groups.blobs[group_id]
    _drop(store, group_id)
    store.emit("group.deleted", blob, store.now(), organization_id)


def forget(store: Store, organization_id: str) -> None:
    """Drop the groups of a deleted organization without a word."""
    for group_id in list(store.groups.of("organization_id", organization_id)):
        _drop(store, group_id)


def change_members(store: Store, organization_id: str, group_id: str, add: list[str], remove: list[str]) -> None:
    """Add and remove members at once or, if one may not be, none; who is in or out already makes no event."""
    get(store, organization_id, group_id)
    for membership_id in [*add, *remove]:
        _check_membership(store, organization_id, membership_id)
    moment = store.now()
    for membership_id in add:
        value = member(group_id, membership_id, moment)
        if value["id"] not in store.group_members.blobs:
            store.group_members.write(value)
            _tell(store, "member_added", value, moment, organization_id)
    for membership_id in remove:
        value = member(group_id, membership_id, moment)
        if value["id"] in store.group_members.blobs:
            store.group_members.remove(value["id"])
            _tell(store, "member_removed", value, moment, organization_id)


def get(store: Store, organization_id: str, group_id: str) -> dict[str, Any]:
    """A group of an organization, or 404, also when it is another's."""
    group = listing.one(store.groups, group_id)
    if group["organization_id"] != listing.organization(store, organization_id):
        raise errors.not_found("Group", group_id)
    return group


def _drop(store: Store, group_id: str) -> None:
    for key in list(store.group_members.of("group_id", group_id)):
        store.group_members.remove(key)
    store.groups.remove(group_id)


def _tell(store: Store, verb: str, value: dict[str, Any], moment: int, organization_id: str) -> None:
    delta = {key: value[key] for key in ("group_id", "organization_membership_id")}
    store.emit(f"group.{verb}", orjson.dumps(delta), moment, organization_id)


def _check(fields: dict[str, Any]) -> None:
    if fields.get("name", "-").strip() == "":
        raise errors.invalid("name", "name_required", "name must not be empty.")


def _check_membership(store: Store, organization_id: str, membership_id: str) -> None:
    membership = store.memberships.read(membership_id)
    if membership is None or membership["organization_id"] != organization_id:
        raise errors.not_found("Organization membership", membership_id)


async def list_groups(request: Request) -> Response:
    """The groups of an organization, newest first unless told, whose name holds the search text."""
    store = store_of(request)
    ids = store.groups.of("organization_id", listing.organization(store, request.path_params["id"]))
    return listing.respond(request, store.groups, listing.named(store.groups, ids, request.query_params.get("search")))


async def get_group(request: Request) -> Response:
    """One group of an organization."""
    group = get(store_of(request), request.path_params["id"], request.path_params["group"])
    return replies.ok(orjson.dumps(group))


async def create_group(request: Request) -> Response:
    """201 with the new group."""
    fields = await bodies.read(request, CREATION, required=("name",))
    group = create(store_of(request), request.path_params["id"], fields)
    return replies.wrote(request, group["id"], orjson.dumps(group), status=201)


async def update_group(request: Request) -> Response:
    """The group after the change."""
    fields = await bodies.read(request, CREATION)
    group = update(store_of(request), request.path_params["id"], request.path_params["group"], fields)
    return replies.wrote(request, group["id"], orjson.dumps(group))


async def delete_group(request: Request) -> Response:
    """204."""
    delete(store_of(request), request.path_params["id"], request.path_params["group"])
    return replies.wrote(request, request.path_params["group"], status=204)


PATH: Final = "/organizations/{id}/groups"
ROUTES: Final = [
    Route(PATH, list_groups),
    Route(PATH, create_group, methods=["POST"]),
    Route(PATH + "/{group}", get_group),
    Route(PATH + "/{group}", update_group, methods=["PATCH"]),
    Route(PATH + "/{group}", delete_group, methods=["DELETE"]),
]
