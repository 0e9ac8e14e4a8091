"""Control endpoints for what happens in WorkOS's dashboard or at an identity provider, where no API reaches."""

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from user_management.sandbox import (
    bodies,
    connections,
    directories,
    directory_groups,
    directory_users,
    errors,
    feature_flags,
    organization_domains,
    organization_memberships,
    roles,
)
from user_management.sandbox.store import Store, store_of

_CONNECTION: Final = {"organization_id": bodies.TEXT, "connection_type": bodies.TEXT}
_DIRECTORY: Final = {"organization_id": bodies.TEXT, "type": bodies.TEXT}
_DIRECTORY_USER: Final = {
    "idp_id": bodies.TEXT,
    "email": bodies.NULLABLE_TEXT,
    "first_name": bodies.NULLABLE_TEXT,
    "last_name": bodies.NULLABLE_TEXT,
    "job_title": bodies.NULLABLE_TEXT,
    "state": bodies.TEXT,
    "custom_attributes": (dict,),
}
_DIRECTORY_GROUP: Final = {"idp_id": bodies.TEXT, "name": bodies.TEXT}
_FLAG_CHANGE: Final = {
    "name": bodies.TEXT,
    "description": bodies.NULLABLE_TEXT,
    "tags": bodies.ARRAY,
    "enabled": bodies.FLAG,
    "default_value": bodies.FLAG,
}
_FLAG: Final = {"slug": bodies.TEXT, "name": bodies.TEXT, "description": bodies.NULLABLE_TEXT, "tags": bodies.ARRAY}
_RULE: Final = {"access_type": bodies.TEXT, "targets": bodies.ARRAY}
_ACCESS: Final = {feature_flags.NONE, feature_flags.SOME, feature_flags.EVERYBODY}


def delete_role(store: Store, slug: str) -> None:
    """Remove a role of the environment; whoever has it gets the default role, which itself stays."""
    role = roles.get(store, slug)
    if slug == roles.DEFAULT:
        raise errors.ApiError(409, {"message": "The default role cannot be deleted.", "code": "role_is_default"})
    mark = orjson.dumps({"slug": slug})
    for membership_id in [key for key, blob in store.memberships.blobs.items() if mark in blob]:
        organization_memberships.update(store, membership_id, {"role_slug": roles.DEFAULT})
    del store.roles[slug]
    store.emit("role.deleted", roles.lean(role), store.now())


async def create_connection(request: Request) -> Response:
    """A draft of `{"organization_id": id, "connection_type": t}`."""
    fields = await bodies.read(request, _CONNECTION, required=("organization_id",))
    kind = fields.get("connection_type", connections.TYPES[0])
    return JSONResponse(connections.create(store_of(request), fields["organization_id"], kind), 201)


async def activate_connection(request: Request) -> Response:
    """The connection, active."""
    return JSONResponse(connections.switch(store_of(request), request.path_params["id"], connections.ACTIVE))


async def deactivate_connection(request: Request) -> Response:
    """The connection, inactive."""
    return JSONResponse(connections.switch(store_of(request), request.path_params["id"], connections.INACTIVE))


async def create_directory(request: Request) -> Response:
    """A linked directory of `{"organization_id": id, "type": t}`."""
    fields = await bodies.read(request, _DIRECTORY, required=("organization_id",))
    kind = fields.get("type", directories.TYPES[0])
    return JSONResponse(directories.create(store_of(request), fields["organization_id"], kind), 201)


async def push_directory_user(request: Request) -> Response:
    """The user of a directory that has this `idp_id`, new or changed as told."""
    fields = await bodies.read(request, _DIRECTORY_USER, required=("idp_id",))
    return JSONResponse(directory_users.push(store_of(request), request.path_params["id"], fields))


async def push_directory_group(request: Request) -> Response:
    """The group of a directory that has this `idp_id`, new or renamed as told."""
    fields = await bodies.read(request, _DIRECTORY_GROUP, required=("idp_id", "name"))
    return JSONResponse(directory_groups.push(store_of(request), request.path_params["id"], fields))


async def delete_directory_user(request: Request) -> Response:
    """204: the identity provider knows them no longer."""
    directory_users.delete(store_of(request), request.path_params["id"])
    return Response(status_code=204)


async def delete_directory_group(request: Request) -> Response:
    """204: the identity provider knows it no longer."""
    directory_groups.delete(store_of(request), request.path_params["id"])
    return Response(status_code=204)


async def add_to_directory_group(request: Request) -> Response:
    """204: the user is in the group."""
    directory_groups.add(store_of(request), request.path_params["id"], request.path_params["user"])
    return Response(status_code=204)


async def remove_from_directory_group(request: Request) -> Response:
    """204: the user is not in the group."""
    directory_groups.remove(store_of(request), request.path_params["id"], request.path_params["user"])
    return Response(status_code=204)


async def fail_domain(request: Request) -> Response:
    """The domain, given up on."""
    return JSONResponse(organization_domains.fail(store_of(request), request.path_params["id"]))


async def remove_role(request: Request) -> Response:
    """204: whoever had the role has the default one."""
    delete_role(store_of(request), request.path_params["slug"])
    return Response(status_code=204)


async def create_flag(request: Request) -> Response:
    """A new flag, off."""
    fields = await bodies.read(request, _FLAG, required=("slug", "name"))
    return JSONResponse(feature_flags.create(store_of(request), fields), 201)


async def change_flag(request: Request) -> Response:
    """The flag after the change."""
    fields: dict[str, Any] = await bodies.read(request, _FLAG_CHANGE)
    return JSONResponse(feature_flags.update(store_of(request), request.path_params["slug"], fields))


async def set_flag_rule(request: Request) -> Response:
    """The flag, seen from now on by `{"access_type": "none" | "some" | "all", "targets": [ids]}`."""
    fields = await bodies.read(request, _RULE, required=("access_type",))
    if fields["access_type"] not in _ACCESS:
        raise errors.invalid("access_type", "access_type_invalid", "access_type must be none, some or all.")
    targets = bodies.texts("targets", fields.get("targets", []))
    store, slug = store_of(request), request.path_params["slug"]
    return JSONResponse(feature_flags.set_rule(store, slug, fields["access_type"], targets))


async def delete_flag(request: Request) -> Response:
    """204."""
    feature_flags.delete(store_of(request), request.path_params["slug"])
    return Response(status_code=204)


_GROUP: Final = "/_sandbox/directory_groups/{id}"
_FLAGS: Final = "/_sandbox/flags"
ROUTES: Final = [
    Route("/_sandbox/connections", create_connection, methods=["POST"]),
    Route("/_sandbox/connections/{id}/activate", activate_connection, methods=["POST"]),
    Route("/_sandbox/connections/{id}/deactivate", deactivate_connection, methods=["POST"]),
    Route("/_sandbox/directories", create_directory, methods=["POST"]),
    Route("/_sandbox/directories/{id}/users", push_directory_user, methods=["PUT"]),
    Route("/_sandbox/directories/{id}/groups", push_directory_group, methods=["PUT"]),
    Route("/_sandbox/directory_users/{id}", delete_directory_user, methods=["DELETE"]),
    Route(_GROUP, delete_directory_group, methods=["DELETE"]),
    Route(_GROUP + "/users/{user}", add_to_directory_group, methods=["PUT"]),
    Route(_GROUP + "/users/{user}", remove_from_directory_group, methods=["DELETE"]),
    Route("/_sandbox/organization_domains/{id}/fail", fail_domain, methods=["POST"]),
    Route("/_sandbox/roles/{slug}", remove_role, methods=["DELETE"]),
    Route(_FLAGS, create_flag, methods=["POST"]),
    Route(_FLAGS + "/{slug}", change_flag, methods=["PATCH"]),
    Route(_FLAGS + "/{slug}", delete_flag, methods=["DELETE"]),
    Route(_FLAGS + "/{slug}/rule", set_flag_rule, methods=["PUT"]),
]
