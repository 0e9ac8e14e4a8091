"""What can be done to groups and to who is in them."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.client import Given
from user_management.services.workos.commands import Command, Trace, change, creation, removal
from user_management.services.workos.matching import holds

GROUPS = ("organizations", "{organization_id}", "groups")
GROUP = (*GROUPS, "{id}")
MEMBERS = ("organizations", "{organization_id}", "groups", "{group_id}", "organization-memberships")
PAIR = ("group_id", "organization_membership_id")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new group shows: among the newest of its organization."""
    yield Trace(
        "name", ("organizations", Given(fields["organization_id"]), "groups"), {"limit": "100"}, names=("name",)
    )


create = creation(GROUPS, traces)
update = change("patch", GROUP, holds)
delete = removal(GROUP)
add_member = Command("post", MEMBERS, key=PAIR, accepts=True, repeatable=True)
remove_member = removal((*MEMBERS, "{organization_membership_id}"), place=None, key=PAIR)
