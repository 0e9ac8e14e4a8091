"""What can be done to organizations."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import holds

ORGANIZATIONS = ("organizations",)
ORGANIZATION = (*ORGANIZATIONS, "{id}")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new organization shows: under its owner's own id; its name is not its own."""
    external_id = fields.get("external_id")
    if isinstance(external_id, str) and external_id:
        yield Trace("external_id", (*ORGANIZATIONS, "external_id", external_id))


create = creation(ORGANIZATIONS, traces, {"external_id_already_used"})
update = change("put", ORGANIZATION, holds)
delete = removal(ORGANIZATION)
