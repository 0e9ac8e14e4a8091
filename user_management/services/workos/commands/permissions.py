"""What can be done to permissions, which WorkOS's paths name by their slugs."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.client import Given
from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import holds

PERMISSIONS = ("authorization", "permissions")
PERMISSION = (*PERMISSIONS, "{slug}")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new permission shows: under its slug."""
    slug = fields.get("slug")
    if isinstance(slug, str) and slug:
        yield Trace("slug", (*PERMISSIONS, Given(slug)))


create = creation(PERMISSIONS, traces, {"permission_slug_conflict"})
update = change("patch", PERMISSION, holds)
delete = removal(PERMISSION)
