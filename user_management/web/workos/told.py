"""What WorkOS's answers to passed-on requests tell of objects that we mirror: the entries that the copy is to learn."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from user_management.journal import entries
from user_management.journal.entries import Entry, Lane
from user_management.mirror.engine.resource import Resource
from user_management.web.workos.places import Found

WRITES = frozenset({"POST", "PUT", "PATCH"})
OK, CREATED, NO_CONTENT = 200, 201, 204
DATES = ("created_at", "updated_at")
ACTIONS = frozenset({"deactivate", "reactivate", "resend", "revoke", "accept"})
"""What WorkOS does with an object and answers with the object itself, whole."""
WRAPPED = frozenset({
    "email_verification/send", "email_verification/confirm", "email_change/confirm",
})  # fmt: skip
"""What WorkOS does with a user and answers with an object that holds the user, whole; signing in is none of these."""


def by(method: str, status: int, found: Found, body: Any, at: datetime) -> list[Entry]:
    """The entries for what an answer tells, if it is a success that tells anything."""
    resource = found.place.resource
    if method == "GET" and status == OK and not found.action:
        return [entry(one, resource, Lane.LIST, at) for one in objects(found, shown(found, body))]
    if method in WRITES and status in {OK, CREATED}:
        return [entry(one, resource, Lane.REPLY, at) for one in objects(found, replied(found, body))]
    if method == "DELETE" and status in {OK, NO_CONTENT} and not found.action:
        return ended(found, at)
    return []


def entry(one: dict[str, Any], resource: Resource, lane: Lane, at: datetime) -> Entry:
    """The entry for an object."""
    type_ = resource.replied if lane is Lane.REPLY else resource.listed
    return entries.of_object(one, lane=lane, type=type_, at=at)


def shown(found: Found, body: Any) -> list[Any]:
    """What a read shows."""
    listed = body.get("data") if found.place.by is None and isinstance(body, dict) else [body]
    return listed if isinstance(listed, list) else []


def replied(found: Found, body: Any) -> list[Any]:
    """What a write made or changed, wherever in its reply it stands."""
    if not found.action or found.action in ACTIONS:
        return [body]
    wrapped = found.action in WRAPPED and isinstance(body, dict)
    return [body.get(found.place.resource.object)] if wrapped else []


def objects(found: Found, told: Iterable[Any]) -> list[dict[str, Any]]:
    """What of this is objects of the resource, in its own words."""
    resource, item = found.place.resource, found.place.resource.listing.item
    dated = (one for one in told if isinstance(one, dict) and all(isinstance(one.get(key), str) for key in DATES))
    if item is None:
        own: Iterable[dict[str, Any] | None] = (one for one in dated if one.get("object") == resource.object)
    else:
        own = (item(found.values, one) for one in dated)
    return [one for one in own if one is not None and resource.name_of(one) is not None]


def ended(found: Found, at: datetime) -> list[Entry]:
    """The end of the object that a path names; nothing where it names it otherwise than our rows are named."""
    resource = found.place.resource
    if found.place.by is None or not set(resource.key) <= found.values.keys():
        return []
    last = {"object": resource.object, **{key: found.values[key] for key in resource.key}}
    return [entries.of_object(last, lane=Lane.REPLY, type=resource.deleted, at=at)]
