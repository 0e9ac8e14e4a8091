"""Who is in a group is changed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror import groups as mirrored
from user_management.mirror.group_memberships import resource
from user_management.services.workos.commands import groups
from user_management.web.api.writes import Write


class GroupMembershipCreate(BaseModel):
    """Who is to be in a group."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"organization_membership_id": "om_01E4ZCR3C56J083X43JQXF3JK6"}]},
    )

    organization_membership_id: str = Field(min_length=1)


ALL = "/api/organizations/{organization_id}/groups/{group_id}/members"

WRITES = (
    Write(
        resource, GroupMembershipCreate, groups.add_member, ALL, reply=mirrored.Group,
        told="Answered with the group, as WorkOS does.",
    ),
    Write(resource, None, groups.remove_member, f"{ALL}/{{organization_membership_id}}", "delete"),
)  # fmt: skip
