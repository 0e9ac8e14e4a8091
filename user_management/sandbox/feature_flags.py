from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, errors, listing, replies
from user_management.sandbox.store import CONTEXT, Store, store_of

ENVIRONMENT: Final = "environment_01SANDBOX"
NONE: Final = "none"
SOME: Final = "some"
EVERYBODY: Final = "all"
OWNER: Final = {"email": "ada@sandbox.example", "first_name": "Ada", "last_name": "Lovelace"}


def blank(flag_id: str, fields: dict[str, Any], moment: int) -> dict[str, Any]:
    """A flag that is off, in the shape of the REST API."""
    return {
        "object": "feature_flag",
        "id": flag_id,
        "slug": fields["slug"],
        "name": fields["name"],
        "description": fields.get("description"),
        "owner": fields.get("owner", OWNER),
        "tags": fields.get("tags", []),
        "enabled": False,
        "default_value": False,
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def rule(access: str = NONE, targets: Iterable[str] = ()) -> dict[str, Any]:
    """Who gets to see a flag: nobody, everybody, or some users and organizations."""
    return {"access_type": access, "targets": list(targets)}


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new flag, off; 409 when its slug is taken."""
    if store.flags.of("slug", fields["slug"]):
        raise errors.ApiError(409, {"message": f"Flag exists: '{fields['slug']}'.", "code": "flag_slug_conflict"})
    moment = store.now()
    flag = blank(store.new_id("flag", moment), fields, moment)
    store.flags.write(flag)
    store.flag_rules[flag["id"]] = rule()
    _tell(store, "created", flag, moment)
    return flag


def update(store: Store, slug: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a flag itself, such as turning it on; a change of nothing emits nothing."""
    flag, moment = get(store, slug), store.now()
    previous = {key: flag[key] for key, value in changes.items() if flag[key] != value}
    if previous:
        flag |= changes | {"updated_at": clock.stamp(moment)}
        store.flags.write(flag)
        _tell(store, "updated", flag, moment, previous_attributes={"data": previous})
    return flag


def set_rule(store: Store, slug: str, access: str, targets: Iterable[str]) -> dict[str, Any]:
    """Change who gets to see a flag; a change of nothing emits nothing."""
    flag, moment, fresh = get(store, slug), store.now(), rule(access, targets)
    former = store.flag_rules[flag["id"]]
    if fresh != former:
        flag |= {"updated_at": clock.stamp(moment)}
        store.flags.write(flag)
        store.flag_rules[flag["id"]] = fresh
        _tell(
            store,
            "rule_updated",
            flag,
            moment,
            **_told(store, fresh),
            previous_attributes={"context": _told(store, former)},
        )
    return flag


def delete(store: Store, slug: str) -> None:
    """Remove a flag for good."""
    flag = get(store, slug)
    store.flags.remove(flag["id"])
    store.flag_rules.pop(flag["id"])
    _tell(store, "deleted", flag, store.now())


def forget(store: Store, target_id: str) -> None:
    """Take a deleted user or organization out of every rule without a word."""
    for one in store.flag_rules.values():
        if target_id in one["targets"]:
            one["targets"].remove(target_id)


def get(store: Store, slug: str) -> dict[str, Any]:
    """The flag of a slug, or 404."""
    found = store.flags.all("slug", slug)
    if not found:
        raise errors.not_found("Feature flag", slug)
    return found[0]


def seen_by(store: Store, target_id: str) -> list[str]:
    """The ids of the flags that are on for a user or an organization, ascending."""
    rules = ((key, store.flag_rules[key]) for key in store.flags.ids if listing.one(store.flags, key)["enabled"])
    return [key for key, one in rules if one["access_type"] == EVERYBODY or target_id in one["targets"]]


def _told(store: Store, one: dict[str, Any]) -> dict[str, Any]:
    """A rule as events tell it."""
    organizations = filter(None, map(store.organizations.read, one["targets"]))
    users = filter(None, map(store.users.read, one["targets"]))
    targets = {
        "organizations": [{"id": organization["id"], "name": organization["name"]} for organization in organizations],
        "users": [{"id": user["id"], "email": user["email"]} for user in users],
    }
    return {"access_type": one["access_type"], "configured_targets": targets}


def _tell(store: Store, verb: str, flag: dict[str, Any], moment: int, **more: Any) -> None:
    data = orjson.dumps(flag | {"environment_id": ENVIRONMENT})
    store.emit(f"flag.{verb}", data, moment, context=CONTEXT | {"client_id": store.config.client_id} | more)


async def list_flags(request: Request) -> Response:
    """Every flag, newest first unless told."""
    return listing.respond(request, store_of(request).flags)


async def list_flags_of_organization(request: Request) -> Response:
    """The flags that are on for an organization."""
    store = store_of(request)
    organization_id = listing.organization(store, request.path_params["id"])
    return listing.respond(request, store.flags, seen_by(store, organization_id))


async def list_flags_of_user(request: Request) -> Response:
    """The flags that are on for a user."""
    store = store_of(request)
    user_id = listing.one(store.users, request.path_params["id"])["id"]
    return listing.respond(request, store.flags, seen_by(store, user_id))


async def get_flag(request: Request) -> Response:
    """One flag by its slug."""
    return replies.ok(orjson.dumps(get(store_of(request), request.path_params["slug"])))


async def enable_flag(request: Request) -> Response:
    """The flag, on."""
    return _wrote(request, update(store_of(request), request.path_params["slug"], {"enabled": True}))


async def disable_flag(request: Request) -> Response:
    """The flag, off."""
    return _wrote(request, update(store_of(request), request.path_params["slug"], {"enabled": False}))


async def add_target(request: Request) -> Response:
    """204 after letting a user or an organization see a flag."""
    store, targets = store_of(request), _targets(request)
    target_id = request.path_params["target"]
    if target_id not in store.users.blobs and target_id not in store.organizations.blobs:
        raise errors.not_found("Target", target_id)
    return _retargeted(request, targets if target_id in targets else [*targets, target_id])


async def remove_target(request: Request) -> Response:
    """204 after letting a user or an organization see a flag no longer."""
    targets, target_id = _targets(request), request.path_params["target"]
    if target_id not in targets:
        raise errors.not_found("Target", target_id)
    return _retargeted(request, [one for one in targets if one != target_id])


def _targets(request: Request) -> list[str]:
    store = store_of(request)
    targets: list[str] = store.flag_rules[get(store, request.path_params["slug"])["id"]]["targets"]
    return targets


def _retargeted(request: Request, targets: list[str]) -> Response:
    flag = set_rule(store_of(request), request.path_params["slug"], SOME if targets else NONE, targets)
    return replies.wrote(request, flag["id"], status=204)


def _wrote(request: Request, flag: dict[str, Any]) -> Response:
    return replies.wrote(request, flag["id"], orjson.dumps(flag))


_PATH: Final = "/feature-flags"
ROUTES: Final = [
    Route(_PATH, list_flags),
    Route(_PATH + "/{slug}", get_flag),
    Route(_PATH + "/{slug}/enable", enable_flag, methods=["PUT"]),
    Route(_PATH + "/{slug}/disable", disable_flag, methods=["PUT"]),
    Route(_PATH + "/{slug}/targets/{target}", add_target, methods=["POST"]),
    Route(_PATH + "/{slug}/targets/{target}", remove_target, methods=["DELETE"]),
    Route("/organizations/{id}/feature-flags", list_flags_of_organization),
    Route("/user_management/users/{id}/feature-flags", list_flags_of_user),
]
