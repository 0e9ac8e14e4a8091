"""What can be done to the roles that organizations have of their own."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.client import Given
from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import holds, permits, permitted

ROLES = ("authorization", "organizations", "{organization_id}", "roles")
ROLE = (*ROLES, "{slug}")
KEY = ("organization_id", "slug")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new role shows: under its slug, if it was sent one."""
    slug = fields.get("slug")
    if isinstance(slug, str) and slug:
        organization = Given(fields["organization_id"])
        yield Trace("slug", ("authorization", "organizations", organization, "roles", Given(slug)))


def forbids(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a role is without the permission that was named."""
    has = found.get("permissions")
    return isinstance(has, list) and fields.get("permission_slug") not in has


create = creation(ROLES, traces, {"organization_role_slug_conflict"}, key=KEY)
update = change("patch", ROLE, holds, key=KEY)
delete = removal(ROLE, key=KEY)
set_permissions = change("put", (*ROLE, "permissions"), permitted, place=ROLE, key=KEY)
add_permission = change("post", (*ROLE, "permissions"), permits, place=ROLE, key=KEY)
remove_permission = change(
    "delete", (*ROLE, "permissions", "{permission_slug}"), forbids, names=("permission_slug",), place=ROLE, key=KEY,
    lacks=True,
)  # fmt: skip
