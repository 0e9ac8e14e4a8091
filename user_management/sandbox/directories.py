from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, derive, listing, replies
from user_management.sandbox.store import Store, store_of

LINKED: Final = "linked"
UNLINKED: Final = "unlinked"
TYPES: Final = ("okta scim v2.0", "azure scim v2.0", "gsuite directory", "onelogin scim v2.0", "bamboohr")
_EVENT_STATES: Final = {LINKED: "active", UNLINKED: "inactive"}
_TOLD: Final = ("object", "id", "organization_id", "type", "name", "created_at", "updated_at")


def blank(store: Store, directory_id: str, organization: dict[str, Any], kind: str, moment: int) -> dict[str, Any]:
    """A linked directory, in the shape of the REST API."""
    domains = [one["domain"] for one in organization["domains"]]
    return {
        "object": "directory",
        "id": directory_id,
        "organization_id": organization["id"],
        "external_key": derive.text(store, "directory", directory_id, 16),
        "type": kind,
        "state": LINKED,
        "name": f"{organization['name']} {kind}",
        **({"domain": domains[0]} if domains else {}),
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def told(directory: dict[str, Any]) -> dict[str, Any]:
    """A directory as its deletion tells it: with the state it was in, in the words of events."""
    return {key: directory[key] for key in _TOLD} | {"state": _EVENT_STATES[directory["state"]]}


def create(store: Store, organization_id: str, kind: str = TYPES[0]) -> dict[str, Any]:
    """A new directory, active at once."""
    organization, moment = listing.one(store.organizations, organization_id), store.now()
    directory = blank(store, store.new_id("directory", moment), organization, kind, moment)
    store.directories.write(directory)
    domains = [
        {"object": "organization_domain", "id": one["id"], "domain": one["domain"]} for one in organization["domains"]
    ]
    data = told(directory) | {"external_key": directory["external_key"], "domains": domains}
    store.emit("dsync.activated", orjson.dumps(data), moment, organization_id)
    return directory


def delete(store: Store, directory_id: str) -> None:
    """Remove a directory with all that is in it; its own end is the only event, as WorkOS documents."""
    directory = listing.one(store.directories, directory_id)
    _drop(store, directory_id)
    store.emit("dsync.deleted", orjson.dumps(told(directory)), store.now(), directory["organization_id"])


def forget(store: Store, organization_id: str) -> None:
    """Drop the directories of a deleted organization without a word."""
    for directory_id in list(store.directories.of("organization_id", organization_id)):
        _drop(store, directory_id)


def _drop(store: Store, directory_id: str) -> None:
    for table in (store.directory_users, store.directory_groups, store.directory_members):
        for key in list(table.of("directory_id", directory_id)):
            table.remove(key)
    store.directories.remove(directory_id)


def render(store: Store, directory_id: str) -> bytes:
    """A directory as the REST API shows it: with the numbers of its users and groups."""
    users = store.directory_users.all("directory_id", directory_id)
    active = sum(user["state"] == "active" for user in users)
    groups = len(store.directory_groups.of("directory_id", directory_id))
    metadata = {"users": {"active": active, "inactive": len(users) - active}, "groups": groups}
    return orjson.dumps(listing.one(store.directories, directory_id) | {"metadata": metadata})


async def list_directories(request: Request) -> Response:
    """Directories, newest first unless told, of an organization, a domain, a name that holds the text."""
    store, parameters = store_of(request), request.query_params
    owner, table = parameters.get("organization_id"), store.directories
    ids = table.of("organization_id", owner) if owner else table.ids
    ids = listing.named(table, listing.matching(table, ids, domain=parameters.get("domain")), parameters.get("search"))
    return listing.respond(request, table, ids, lambda key: render(store, key))


async def get_directory(request: Request) -> Response:
    """One directory by id."""
    return replies.ok(render(store_of(request), request.path_params["id"]))


async def delete_directory(request: Request) -> Response:
    """202: WorkOS says that it takes its time; here it is done."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"], status=202)


ROUTES: Final = [
    Route("/directories", list_directories),
    Route("/directories/{id}", get_directory),
    Route("/directories/{id}", delete_directory, methods=["DELETE"]),
]
