from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, directory_users, errors, listing, replies
from user_management.sandbox.store import Store, store_of


def blank(group_id: str, directory: dict[str, Any], fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A group as an identity provider pushes it, in the shape that lists and events share."""
    return {
        "object": "directory_group",
        "id": group_id,
        "idp_id": fields["idp_id"],
        "directory_id": directory["id"],
        "organization_id": directory["organization_id"],
        "name": fields["name"],
        "raw_attributes": {"displayName": fields["name"]},
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def member(directory_id: str, group_id: str, user_id: str, moment: int) -> dict[str, Any]:
    """A user's place in a directory group; WorkOS has no object for it, only the pair."""
    return {
        "object": "directory_group_membership",
        "id": f"{group_id}:{user_id}",
        "directory_id": directory_id,
        "directory_group_id": group_id,
        "directory_user_id": user_id,
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def push(store: Store, directory_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A group of a directory as the identity provider has it now: new, or known by `idp_id` and renamed."""
    directory, moment = listing.one(store.directories, directory_id), store.now()
    known = store.directory_groups.all("directory_id", directory_id)
    former = next((group for group in known if group["idp_id"] == fields["idp_id"]), None)
    if former is not None:
        return _rename(store, former, fields["name"], moment)
    group = blank(store.new_id("directory_group", moment), directory, fields, moment)
    store.emit("dsync.group.created", store.directory_groups.write(group), moment, group["organization_id"])
    return group


def delete(store: Store, group_id: str) -> None:
    """Remove a group of a directory for good; its users leave it without a word, as WorkOS documents."""
    group = listing.one(store.directory_groups, group_id)
    for key in list(store.directory_members.of("directory_group_id", group_id)):
        store.directory_members.remove(key)
    store.directory_groups.remove(group_id)
    store.emit("dsync.group.deleted", orjson.dumps(group), store.now(), group["organization_id"])


def add(store: Store, group_id: str, user_id: str) -> None:
    """Put a user of the same directory into a group; nothing happens if they are in already. No `updated_at` moves."""
    group, user = _pair(store, group_id, user_id)
    value = member(group["directory_id"], group_id, user_id, store.now())
    if value["id"] not in store.directory_members.blobs:
        store.directory_members.write(value)
        _tell(store, "user_added", group, user)


def remove(store: Store, group_id: str, user_id: str) -> None:
    """Take a user out of a group; nothing happens if they are out already."""
    group, user = _pair(store, group_id, user_id)
    if f"{group_id}:{user_id}" in store.directory_members.blobs:
        store.directory_members.remove(f"{group_id}:{user_id}")
        _tell(store, "user_removed", group, user)


def _pair(store: Store, group_id: str, user_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    group, user = listing.one(store.directory_groups, group_id), listing.one(store.directory_users, user_id)
    if group["directory_id"] != user["directory_id"]:
        raise errors.not_found("Directory user", user_id)
    return group, user


def _tell(store: Store, verb: str, group: dict[str, Any], user: dict[str, Any]) -> None:
    data = orjson.dumps({"directory_id": group["directory_id"], "user": user, "group": group})
    store.emit(f"dsync.group.{verb}", data, store.now(), group["organization_id"])


def _rename(store: Store, group: dict[str, Any], name: str, moment: int) -> dict[str, Any]:
    if group["name"] != name:
        previous = {"name": group["name"]}
        group |= {"name": name, "raw_attributes": {"displayName": name}, "updated_at": clock.stamp(moment)}
        store.directory_groups.write(group)
        data = orjson.dumps(group | {"previous_attributes": previous})
        store.emit("dsync.group.updated", data, moment, group["organization_id"])
    return group


async def list_directory_groups(request: Request) -> Response:
    """Groups of a directory or a directory user, one of which must be named, newest first unless told."""
    store = store_of(request)
    name, value = directory_users.one_of(request, "directory", "user")
    if name == "directory":
        listing.one(store.directories, value)
        return listing.respond(request, store.directory_groups, store.directory_groups.of("directory_id", value))
    listing.one(store.directory_users, value)
    found = store.directory_members.all("directory_user_id", value)
    return listing.respond(request, store.directory_groups, sorted(one["directory_group_id"] for one in found))


async def get_directory_group(request: Request) -> Response:
    """One group of a directory by id."""
    return replies.ok(orjson.dumps(listing.one(store_of(request).directory_groups, request.path_params["id"])))


ROUTES: Final = [
    Route("/directory_groups", list_directory_groups),
    Route("/directory_groups/{id}", get_directory_group),
]
