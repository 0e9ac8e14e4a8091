from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, derive, errors, listing, organization_memberships, replies
from user_management.sandbox.roster import ACTIVE
from user_management.sandbox.store import Store, store_of

CREATION: Final = {"name": bodies.TEXT, "permissions": bodies.ARRAY, "expires_at": bodies.NULLABLE_TEXT}
USER_CREATION: Final = CREATION | {"organization_id": bodies.TEXT}
EXPIRY: Final = {"expires_at": bodies.NULLABLE_TEXT}
_KEPT: Final = ("organization_id", "user_id")


def value_of(store: Store, key_id: str) -> str:
    """The secret that is a key: told once, when it is made."""
    return f"sk_{derive.text(store, 'api_key', key_id, 40)}"


def blank(store: Store, key_id: str, fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A key of an organization or, with a `user_id`, of a user in it, as the sandbox keeps it."""
    user_id, organization_id = fields.get("user_id"), fields["organization_id"]
    owner = {"type": "organization", "id": organization_id}
    if user_id is not None:
        owner = {"type": "user", "id": user_id, "organization_id": organization_id}
    return {
        "object": "api_key",
        "id": key_id,
        "owner": owner,
        "name": fields["name"],
        "obfuscated_value": f"sk_...{value_of(store, key_id)[-4:]}",
        "last_used_at": None,
        "expires_at": fields.get("expires_at"),
        "permissions": fields.get("permissions", []),
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
        "user_id" if user_id else "organization_id": user_id or organization_id,
    }


def shown(key: dict[str, Any]) -> dict[str, Any]:
    """A key in the shape that lists and events share."""
    return {name: value for name, value in key.items() if name not in _KEPT}


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new key."""
    _check(store, fields)
    moment = store.now()
    key = blank(store, store.new_id("api_key", moment), fields, moment)
    store.api_keys.write(key)
    _tell(store, "created", key, moment)
    return shown(key)


def expire(store: Store, key_id: str, expires_at: str | None) -> dict[str, Any]:
    """Let a key end at a moment, now unless told; the event says when it would have ended."""
    key, moment = listing.one(store.api_keys, key_id), store.now()
    previous = {"expires_at": key["expires_at"]}
    key |= {"expires_at": _date(expires_at) or clock.stamp(moment), "updated_at": clock.stamp(moment)}
    store.api_keys.write(key)
    _tell(store, "updated", key | {"previous_attributes": previous}, moment)
    return shown(key)


def revoke(store: Store, key_id: str) -> None:
    """Remove a key for good."""
    key = listing.one(store.api_keys, key_id)
    store.api_keys.remove(key_id)
    _tell(store, "revoked", key, store.now())


def forget(store: Store, field: str, owner_id: str) -> None:
    """Drop the keys of a deleted organization or user, and those of users in it, without a word."""
    for key_id in list(store.api_keys.ids):
        owner = listing.one(store.api_keys, key_id)
        if owner_id in {owner.get(field), owner["owner"].get(field)}:
            store.api_keys.remove(key_id)


def _tell(store: Store, verb: str, key: dict[str, Any], moment: int) -> None:
    owner = key["owner"]
    organization_id = owner.get("organization_id", owner["id"])
    store.emit(f"api_key.{verb}", orjson.dumps(shown(key)), moment, organization_id)


def _check(store: Store, fields: dict[str, Any]) -> None:
    user_id, organization_id = fields.get("user_id"), listing.organization(store, fields["organization_id"])
    if user_id is not None:
        listing.one(store.users, user_id)
        membership = organization_memberships.find(store, user_id, organization_id)
        if membership is None or membership["status"] != ACTIVE:
            raise errors.refused("organization_membership_not_found", "The user is no active member.")
    for slug in bodies.texts("permissions", fields.get("permissions", [])):
        if not store.permissions.of("slug", slug):
            raise errors.invalid("permissions", "permissions_invalid", f"No such permission: '{slug}'.")
    _date(fields.get("expires_at"))


def _date(text: str | None) -> str | None:
    moment = None if text is None else clock.parse(text)
    if text is not None and moment is None:
        raise errors.invalid("expires_at", "expires_at_invalid", "expires_at must be a date in UTC that ends in Z.")
    return None if moment is None else clock.stamp(moment)


def _render(store: Store, key_id: str) -> bytes:
    return orjson.dumps(shown(listing.one(store.api_keys, key_id)))


async def list_organization_api_keys(request: Request) -> Response:
    """The keys of an organization, without those of its users, newest first unless told."""
    store = store_of(request)
    ids = store.api_keys.of("organization_id", listing.organization(store, request.path_params["id"]))
    return listing.respond(request, store.api_keys, ids, lambda key: _render(store, key))


async def list_user_api_keys(request: Request) -> Response:
    """The keys of a user, in one organization if named, newest first unless told."""
    store, organization_id = store_of(request), request.query_params.get("organization_id")
    ids = store.api_keys.of("user_id", listing.one(store.users, request.path_params["id"])["id"])
    if organization_id:
        keys = (listing.one(store.api_keys, key) for key in ids)
        ids = [key["id"] for key in keys if key["owner"]["organization_id"] == organization_id]
    return listing.respond(request, store.api_keys, ids, lambda key: _render(store, key))


async def create_organization_api_key(request: Request) -> Response:
    """201 with the new key and, this once, its value."""
    fields = await bodies.read(request, CREATION, required=("name",))
    return _created(request, fields | {"organization_id": request.path_params["id"]})


async def create_user_api_key(request: Request) -> Response:
    """201 with the new key and, this once, its value."""
    fields = await bodies.read(request, USER_CREATION, required=("name", "organization_id"))
    return _created(request, fields | {"user_id": request.path_params["id"]})


def _created(request: Request, fields: dict[str, Any]) -> Response:
    store = store_of(request)
    key = create(store, fields)
    body = orjson.dumps(key | {"value": value_of(store, key["id"])})
    return replies.wrote(request, key["id"], body, status=201)


async def expire_api_key(request: Request) -> Response:
    """The key with its end."""
    fields = await bodies.read(request, EXPIRY)
    key = expire(store_of(request), request.path_params["id"], fields.get("expires_at"))
    return replies.wrote(request, key["id"], orjson.dumps(key))


async def delete_api_key(request: Request) -> Response:
    """204."""
    revoke(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"], status=204)


async def validate_api_key(request: Request) -> Response:
    """The key of a value, or null when there is none or it has expired."""
    fields, store = await bodies.read(request, {"value": bodies.TEXT}, required=("value",)), store_of(request)
    now = clock.stamp(store.now())
    keys = (listing.one(store.api_keys, key_id) for key_id in store.api_keys.ids)
    alive = (key for key in keys if key["expires_at"] is None or key["expires_at"] > now)
    found = next((key for key in alive if value_of(store, key["id"]) == fields["value"]), None)
    return replies.ok(orjson.dumps({"api_key": found and shown(found)}))


_OF_ORGANIZATION: Final = "/organizations/{id}/api_keys"
_OF_USER: Final = "/user_management/users/{id}/api_keys"
ROUTES: Final = [
    Route(_OF_ORGANIZATION, list_organization_api_keys),
    Route(_OF_ORGANIZATION, create_organization_api_key, methods=["POST"]),
    Route(_OF_USER, list_user_api_keys),
    Route(_OF_USER, create_user_api_key, methods=["POST"]),
    Route("/api_keys/validations", validate_api_key, methods=["POST"]),
    Route("/api_keys/{id}/expire", expire_api_key, methods=["POST"]),
    Route("/api_keys/{id}", delete_api_key, methods=["DELETE"]),
]
