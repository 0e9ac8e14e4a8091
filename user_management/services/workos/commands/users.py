"""What can be done to users."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import holds

USERS = ("user_management", "users")
USER = (*USERS, "{id}")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new user shows: under its owner's own id, and under its e-mail address."""
    external_id, email = fields.get("external_id"), fields.get("email")
    if isinstance(external_id, str) and external_id:
        yield Trace("external_id", (*USERS, "external_id", external_id))
    if isinstance(email, str):
        yield Trace("email", USERS, {"email": email.strip().lower()})


create = creation(USERS, traces, {"email_not_available", "external_id_already_used"})
update = change("put", USER, holds)
delete = removal(USER)
