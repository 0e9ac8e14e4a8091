"""Directory users: the people an organization pushes from its directory."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import func
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert, without


class DirectoryUserRow(Mirrored):
    """A directory user as stored."""

    __tablename__ = "directory_users"

    directory_id: Mapped[str | None]
    organization_id: Mapped[str | None]
    idp_id: Mapped[str | None]
    email: Mapped[str | None]


by_age(DirectoryUserRow)
by(DirectoryUserRow, "directory_id", DirectoryUserRow.directory_id)
by(DirectoryUserRow, "organization_id", DirectoryUserRow.organization_id)
by(DirectoryUserRow, "idp_id", DirectoryUserRow.idp_id)
by(DirectoryUserRow, "email", func.lower(DirectoryUserRow.email))


own = without("previous_attributes", "groups")
"""A directory user without what an event says about itself, or a list about their groups."""


def listed(_parent: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A directory user of a list."""
    return own(said)


class DirectoryUser(BaseModel):
    """A directory user as served, in WorkOS's words; their groups are directory group memberships."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "directory_user",
                    "id": "directory_user_01E1JG7J09H96KYP8HM9B0G5SJ",
                    "directory_id": "directory_01ECAZ4NV9QMV47GW873HDCX74",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "idp_id": "2836",
                    "email": "marcelina@northern-anchor.example",
                    "first_name": "Marcelina",
                    "last_name": "Davis",
                    "state": "active",
                    "custom_attributes": {"department": "Engineering"},
                    "role": {"slug": "member"},
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["directory_user"]
    id: str
    directory_id: str
    organization_id: str | None = None
    idp_id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    job_title: str | None = None
    username: str | None = None
    state: str
    custom_attributes: dict[str, Any] = {}
    role: dict[str, Any] | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="directory_users",
    object="directory_user",
    row=DirectoryUserRow,
    shape=DirectoryUser,
    listing=Listing(("directory_users",), per="directories", parameter="directory", by="directory_id", item=listed),
    events={
        "dsync.user.created": upsert.of(own),
        "dsync.user.updated": upsert.of(own),
        "dsync.user.deleted": tombstone.of(own),
        "dsync.deleted": Cascade(parent="directories", by="directory_id"),
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    filters=(
        Filter(
            "directory_id",
            "Only users of this directory.",
            lambda value: DirectoryUserRow.directory_id == value,
            example="directory_01ECAZ4NV9QMV47GW873HDCX74",
        ),
        Filter(
            "organization_id",
            "Only users of directories of this organization.",
            lambda value: DirectoryUserRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "idp_id",
            "Only users with this id at their identity provider.",
            lambda value: DirectoryUserRow.idp_id == value,
            example="2836",
        ),
        Filter(
            "email",
            "Only users with this e-mail address, upper or lower case.",
            lambda email: func.lower(DirectoryUserRow.email) == func.lower(email),
            example="marcelina@northern-anchor.example",
        ),
    ),
)
