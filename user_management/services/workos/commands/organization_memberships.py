"""What can be done to organization memberships."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import alike, holds, state

MEMBERSHIPS = ("user_management", "organization_memberships")
MEMBERSHIP = (*MEMBERSHIPS, "{id}")
ROLES = frozenset({"role_slug", "role_slugs"})


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new membership shows: in the list of its user and organization, which have but one."""
    pair = {name: fields.get(name) for name in ("user_id", "organization_id")}
    if all(isinstance(value, str) for value in pair.values()):
        # Without `statuses` WorkOS lists active memberships only.
        params = {name: str(value) for name, value in pair.items()} | {"statuses": "active,inactive,pending"}
        yield Trace("user_id and organization_id", MEMBERSHIPS, params)


def in_role(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a membership has the roles that were sent, and all else."""
    return has_roles(found, fields) and holds(found, {key: fields[key] for key in fields if key not in ROLES})


def joined(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a new membership has the roles that were sent, and all else that it shows."""
    return has_roles(found, fields) and alike(found, fields)


def has_roles(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a membership has just the roles that were sent, which it shows as `roles` or as `role`."""
    has = {slug(one) for one in found.get("roles") or [found.get("role")]}
    one, several = fields.get("role_slug"), fields.get("role_slugs")
    wanted = set(map(str, several)) if isinstance(several, list) else has if one is None else {str(one)}
    return bool(has == wanted)


def slug(role: Any) -> str | None:
    """The slug of a role as a membership tells it."""
    return role.get("slug") if isinstance(role, dict) else None


create = creation(MEMBERSHIPS, traces, {"user_already_organization_member"}, like=joined)
update = change("put", MEMBERSHIP, in_role)
delete = removal(MEMBERSHIP)
deactivate = change("put", (*MEMBERSHIP, "deactivate"), state("status", "inactive"), place=MEMBERSHIP)
reactivate = change("put", (*MEMBERSHIP, "reactivate"), state("status", "active"), place=MEMBERSHIP)
