"""Group memberships: who is in which group."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, link, unlink


class GroupMembershipRow(Mirrored):
    """A membership of a group as stored: WorkOS gives it neither id nor timestamps, so it is the pair."""

    __tablename__ = "group_memberships"

    group_id: Mapped[str | None]
    organization_membership_id: Mapped[str | None]


by_age(GroupMembershipRow)
by(GroupMembershipRow, "group_id", GroupMembershipRow.group_id)
by(GroupMembershipRow, "organization_membership_id", GroupMembershipRow.organization_membership_id)


def told(data: dict[str, Any]) -> dict[str, Any]:
    """The pair an event is about."""
    pair = {key: data.get(key) for key in ("group_id", "organization_membership_id")}
    return {"object": "group_membership", **pair}


def listed(parent: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The pair that a membership in a group's list stands for."""
    pair = {"group_id": parent["group_id"], "organization_membership_id": said.get("id")}
    return {"object": "group_membership", **pair}


class GroupMembership(BaseModel):
    """A membership of a group as served; WorkOS has no object for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "group_membership",
                    "group_id": "group_01HXYZ123456789ABCDEFGHIJ",
                    "organization_membership_id": "om_01E4ZCR3C56J083X43JQXF3JK5",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-03-02T09:15:30.002Z",
                }
            ]
        }
    )

    object: Literal["group_membership"]
    group_id: str
    organization_membership_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="group_memberships",
    object="group_membership",
    row=GroupMembershipRow,
    shape=GroupMembership,
    listing=Listing(
        ("organizations", "{organization_id}", "groups", "{group_id}", "organization-memberships"),
        per="groups",
        by="group_id",
        one=None,
        item=listed,
        whole=True,
    ),
    events={
        "group.member_added": link.of(told),
        "group.member_removed": unlink.of(told),
        "group.deleted": Cascade(parent="groups", by="group_id"),
        "organization_membership.deleted": Cascade(parent="organization_memberships", by="organization_membership_id"),
        "user.deleted": Cascade(
            parent="organization_memberships",
            by="organization_membership_id",
            through=("organization_memberships", "user_id"),
        ),
        "organization.deleted": Cascade(parent="groups", by="group_id", through=("groups", "organization_id")),
    },
    key=("group_id", "organization_membership_id"),
    pairs=True,
    filters=(
        Filter(
            "group_id",
            "Only members of this group.",
            lambda value: GroupMembershipRow.group_id == value,
            example="group_01HXYZ123456789ABCDEFGHIJ",
        ),
        Filter(
            "organization_membership_id",
            "Only groups of this membership.",
            lambda value: GroupMembershipRow.organization_membership_id == value,
            example="om_01E4ZCR3C56J083X43JQXF3JK5",
        ),
    ),
)
