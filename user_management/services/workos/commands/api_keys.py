"""What can be done to API keys. Their value is told once, to whoever makes them, and is not found again."""

from user_management.services.workos.commands import Command, creation, removal

HIDDEN = frozenset({"value"})

create_for_organization = creation(("organizations", "{organization_id}", "api_keys"), secret=True, hides=HIDDEN)
create_for_user = creation(("user_management", "users", "{user_id}", "api_keys"), secret=True, hides=HIDDEN)
expire = Command("post", ("api_keys", "{id}", "expire"), hides=HIDDEN, repeatable=True)
delete = removal(("api_keys", "{id}"), place=None)
