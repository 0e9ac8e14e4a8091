"""What can be done to the roles of the environment. WorkOS has no way to delete one."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.client import Given
from user_management.services.workos.commands import Trace, change, creation
from user_management.services.workos.matching import holds, permits, permitted

ROLES = ("authorization", "roles")
ROLE = (*ROLES, "{slug}")
KEY = ("slug",)


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new role shows: under its slug."""
    slug = fields.get("slug")
    if isinstance(slug, str) and slug:
        yield Trace("slug", (*ROLES, Given(slug)))


create = creation(ROLES, traces, {"role_slug_conflict"}, key=KEY)
update = change("patch", ROLE, holds, key=KEY)
set_permissions = change("put", (*ROLE, "permissions"), permitted, place=ROLE, key=KEY)
add_permission = change("post", (*ROLE, "permissions"), permits, place=ROLE, key=KEY)
