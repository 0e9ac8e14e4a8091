from collections.abc import Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, errors, limits, listing, replies
from user_management.sandbox.store import Store, store_of

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"


def blank(user_id: str, directory: dict[str, Any], fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A user as an identity provider pushes it, in the shape of events."""
    email, first, last = fields.get("email"), fields.get("first_name"), fields.get("last_name")
    return {
        "object": "directory_user",
        "id": user_id,
        "directory_id": directory["id"],
        "organization_id": directory["organization_id"],
        "idp_id": fields["idp_id"],
        "email": email,
        "first_name": first,
        "last_name": last,
        "name": " ".join(part for part in (first, last) if part) or None,
        "emails": [{"primary": True, "type": "work", "value": email}] if email else [],
        "username": email,
        "job_title": fields.get("job_title"),
        "state": fields.get("state", ACTIVE),
        "custom_attributes": fields.get("custom_attributes", {}),
        "raw_attributes": {"externalId": fields["idp_id"]},
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def push(store: Store, directory_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A user of a directory as the identity provider has it now: new, or known by `idp_id` and changed."""
    directory, moment = listing.one(store.directories, directory_id), store.now()
    known = store.directory_users.all("directory_id", directory_id)
    former = next((user for user in known if user["idp_id"] == fields["idp_id"]), None)
    if former is not None:
        return _change(store, former, fields, moment)
    user = blank(store.new_id("directory_user", moment), directory, fields, moment)
    store.emit("dsync.user.created", store.directory_users.write(user), moment, user["organization_id"])
    return user


def delete(store: Store, user_id: str) -> None:
    """Remove a user of a directory for good, from its groups without a word."""
    user = listing.one(store.directory_users, user_id)
    for key in list(store.directory_members.of("directory_user_id", user_id)):
        store.directory_members.remove(key)
    store.directory_users.remove(user_id)
    store.emit("dsync.user.deleted", orjson.dumps(user), store.now(), user["organization_id"])


def _change(store: Store, user: dict[str, Any], fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """Apply a push; what was there before stands in the data of the event, one level deep."""
    fresh = blank(user["id"], {"id": "", "organization_id": ""}, user | fields, moment)
    changed = {name: fresh[name] for name in {*fields, "name", "emails", "username"} if fresh[name] != user[name]}
    if changed:
        previous = {name: user[name] for name in sorted(changed)}
        user |= changed | {"updated_at": clock.stamp(moment)}
        store.directory_users.write(user)
        data = orjson.dumps(user | {"previous_attributes": previous})
        store.emit("dsync.user.updated", data, moment, user["organization_id"])
    return user


def render(store: Store, user_id: str) -> bytes:
    """A user of a directory as the REST API shows it: with its groups."""
    found = store.directory_members.all("directory_user_id", user_id)
    groups = [listing.one(store.directory_groups, one["directory_group_id"]) for one in found]
    return orjson.dumps(listing.one(store.directory_users, user_id) | {"groups": groups})


def one_of(request: Request, *names: str) -> tuple[str, str]:
    """The first of the parameters that is given, and its value; 422 when none is."""
    for name in names:
        if value := request.query_params.get(name):
            return name, value
    raise errors.ApiError(422, {"message": f"Either {' or '.join(names)} is required."})


async def list_directory_users(request: Request) -> Response:
    """Users of a directory or a directory group, one of which must be named, newest first unless told."""
    store, parameters = store_of(request), request.query_params
    name, value = one_of(request, "directory", "group")
    ids: Sequence[str] = _in_directory(request, value) if name == "directory" else _in_group(store, value)
    email = parameters.get("email")
    ids = listing.matching(store.directory_users, ids, idp_id=parameters.get("idp_id"), email=email)
    return listing.respond(request, store.directory_users, ids, lambda key: render(store, key))


def _in_directory(request: Request, directory_id: str) -> list[str]:
    store = store_of(request)
    limits.limits_of(request).count_directory(directory_id)
    listing.one(store.directories, directory_id)
    return list(store.directory_users.of("directory_id", directory_id))


def _in_group(store: Store, group_id: str) -> list[str]:
    listing.one(store.directory_groups, group_id)
    return [one["directory_user_id"] for one in store.directory_members.all("directory_group_id", group_id)]


async def get_directory_user(request: Request) -> Response:
    """One user of a directory by id."""
    return replies.ok(render(store_of(request), request.path_params["id"]))


ROUTES: Final = [
    Route("/directory_users", list_directory_users),
    Route("/directory_users/{id}", get_directory_user),
]
