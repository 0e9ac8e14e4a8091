from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, derive, listing, replies
from user_management.sandbox.store import Store, store_of

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
DRAFT: Final = "draft"
TYPES: Final = ("OktaSAML", "AzureSAML", "GoogleSAML", "OneLoginSAML", "EntraIdOIDC", "GenericOIDC")
_STATUSES: Final = {ACTIVE: "linked"}
_NOT_IN_DELETED: Final = ("domains", "status")


def blank(connection_id: str, organization: dict[str, Any], kind: str, moment: int) -> dict[str, Any]:
    """A connection that waits for its setup, in the shape of the REST API, with the domains of its organization."""
    return {
        "object": "connection",
        "id": connection_id,
        "organization_id": organization["id"],
        "connection_type": kind,
        "name": f"{organization['name']} {kind}",
        "state": DRAFT,
        "status": "unlinked",
        "domains": [
            {"object": "connection_domain", "id": f"conn_domain_{connection_id[5:]}_{number}", "domain": one["domain"]}
            for number, one in enumerate(organization["domains"])
        ],
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def create(store: Store, organization_id: str, kind: str = TYPES[0]) -> dict[str, Any]:
    """A new connection, a draft: nothing is told before it is activated."""
    organization, moment = listing.one(store.organizations, organization_id), store.now()
    connection = blank(store.new_id("conn", moment), organization, kind, moment)
    store.connections.write(connection)
    return connection


def switch(store: Store, connection_id: str, state: str) -> dict[str, Any]:
    """Activate or deactivate a connection; nothing happens if it is so already."""
    connection, moment = listing.one(store.connections, connection_id), store.now()
    if connection["state"] != state:
        connection |= {"state": state, "status": _STATUSES.get(state, "unlinked"), "updated_at": clock.stamp(moment)}
        store.connections.write(connection)
        verb = "activated" if state == ACTIVE else "deactivated"
        told = connection | {"external_key": derive.text(store, "connection", connection_id, 25)}
        store.emit(f"connection.{verb}", orjson.dumps(told), moment, connection["organization_id"])
    return connection


def delete(store: Store, connection_id: str) -> None:
    """Remove a connection for good; the event carries the state it was in."""
    connection = listing.one(store.connections, connection_id)
    store.connections.remove(connection_id)
    data = {key: value for key, value in connection.items() if key not in _NOT_IN_DELETED}
    store.emit("connection.deleted", orjson.dumps(data), store.now(), connection["organization_id"])


def forget(store: Store, organization_id: str) -> None:
    """Drop the connections of a deleted organization without a word."""
    for connection_id in list(store.connections.of("organization_id", organization_id)):
        store.connections.remove(connection_id)


async def list_connections(request: Request) -> Response:
    """Connections, newest first unless told, of an organization, a type, a domain, a name that holds the text."""
    table, parameters = store_of(request).connections, request.query_params
    owner = parameters.get("organization_id")
    ids = table.of("organization_id", owner) if owner else table.ids
    ids = listing.matching(table, ids, connection_type=parameters.get("connection_type"))
    if domain := parameters.get("domain"):
        ids = [key for key in ids if any(one["domain"] == domain for one in listing.one(table, key)["domains"])]
    return listing.respond(request, table, listing.named(table, ids, parameters.get("search")))


async def get_connection(request: Request) -> Response:
    """One connection by id."""
    return replies.ok(orjson.dumps(listing.one(store_of(request).connections, request.path_params["id"])))


async def delete_connection(request: Request) -> Response:
    """204."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"], status=204)


ROUTES: Final = [
    Route("/connections", list_connections),
    Route("/connections/{id}", get_connection),
    Route("/connections/{id}", delete_connection, methods=["DELETE"]),
]
