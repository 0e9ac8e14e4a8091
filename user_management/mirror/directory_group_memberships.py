"""Directory group memberships: who is in which group of a directory."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, link, under, unlink


class DirectoryGroupMembershipRow(Mirrored):
    """A membership of a directory group as stored: WorkOS gives it neither id nor timestamps, so it is the pair."""

    __tablename__ = "directory_group_memberships"

    directory_id: Mapped[str | None]
    directory_group_id: Mapped[str | None]
    directory_user_id: Mapped[str | None]


by_age(DirectoryGroupMembershipRow)
by(DirectoryGroupMembershipRow, "directory_id", DirectoryGroupMembershipRow.directory_id)
by(DirectoryGroupMembershipRow, "directory_group_id", DirectoryGroupMembershipRow.directory_group_id)
by(DirectoryGroupMembershipRow, "directory_user_id", DirectoryGroupMembershipRow.directory_user_id)


def told(data: dict[str, Any]) -> dict[str, Any]:
    """The pair an event is about."""
    return pair(data.get("directory_id"), under("group")(data).get("id"), under("user")(data).get("id"))


def listed(parent: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The pair that a user in a group's list stands for."""
    return pair(said.get("directory_id"), parent["directory_group_id"], said.get("id"))


def pair(directory: Any, group: Any, user: Any) -> dict[str, Any]:
    """Who is in which group, of which directory."""
    ids = {"directory_id": directory, "directory_group_id": group, "directory_user_id": user}
    return {"object": "directory_group_membership", **ids}


class DirectoryGroupMembership(BaseModel):
    """A membership of a directory group as served; WorkOS has no object for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "directory_group_membership",
                    "directory_id": "directory_01ECAZ4NV9QMV47GW873HDCX74",
                    "directory_group_id": "directory_group_01E1JJS84MFPPQ3G655FHTKX6Z",
                    "directory_user_id": "directory_user_01E1JG7J09H96KYP8HM9B0G5SJ",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-03-02T09:15:30.002Z",
                }
            ]
        }
    )

    object: Literal["directory_group_membership"]
    directory_id: str | None = None
    directory_group_id: str
    directory_user_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="directory_group_memberships",
    object="directory_group_membership",
    row=DirectoryGroupMembershipRow,
    shape=DirectoryGroupMembership,
    listing=Listing(
        ("directory_users",),
        per="directory_groups",
        parameter="group",
        by="directory_group_id",
        one=None,
        item=listed,
        whole=True,
    ),
    events={
        "dsync.group.user_added": link.of(told),
        "dsync.group.user_removed": unlink.of(told),
        "dsync.group.deleted": Cascade(parent="directory_groups", by="directory_group_id"),
        "dsync.user.deleted": Cascade(parent="directory_users", by="directory_user_id"),
        "dsync.deleted": Cascade(parent="directories", by="directory_id"),
        "organization.deleted": Cascade(
            parent="directories", by="directory_id", through=("directories", "organization_id")
        ),
    },
    key=("directory_group_id", "directory_user_id"),
    pairs=True,
    filters=(
        Filter(
            "directory_group_id",
            "Only members of this group.",
            lambda value: DirectoryGroupMembershipRow.directory_group_id == value,
            example="directory_group_01E1JJS84MFPPQ3G655FHTKX6Z",
        ),
        Filter(
            "directory_user_id",
            "Only groups of this user.",
            lambda value: DirectoryGroupMembershipRow.directory_user_id == value,
            example="directory_user_01E1JG7J09H96KYP8HM9B0G5SJ",
        ),
        Filter(
            "directory_id",
            "Only memberships in this directory.",
            lambda value: DirectoryGroupMembershipRow.directory_id == value,
            example="directory_01ECAZ4NV9QMV47GW873HDCX74",
        ),
    ),
)
