"""Directory groups: the groups an organization pushes from its directory."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert, without


class DirectoryGroupRow(Mirrored):
    """A directory group as stored."""

    __tablename__ = "directory_groups"

    directory_id: Mapped[str | None]


by_age(DirectoryGroupRow)
by(DirectoryGroupRow, "directory_id", DirectoryGroupRow.directory_id)


class DirectoryGroup(BaseModel):
    """A directory group as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "directory_group",
                    "id": "directory_group_01E1JJS84MFPPQ3G655FHTKX6Z",
                    "directory_id": "directory_01ECAZ4NV9QMV47GW873HDCX74",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "idp_id": "02grqrue4294w24",
                    "name": "Developers",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["directory_group"]
    id: str
    directory_id: str
    organization_id: str | None = None
    idp_id: str
    name: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="directory_groups",
    object="directory_group",
    row=DirectoryGroupRow,
    shape=DirectoryGroup,
    listing=Listing(("directory_groups",), per="directories", parameter="directory", by="directory_id"),
    events={
        "dsync.group.created": upsert.of(without("previous_attributes")),
        "dsync.group.updated": upsert.of(without("previous_attributes")),
        "dsync.group.deleted": tombstone.of(without("previous_attributes")),
        "dsync.deleted": Cascade(parent="directories", by="directory_id"),
        "organization.deleted": Cascade(
            parent="directories", by="directory_id", through=("directories", "organization_id")
        ),
    },
    filters=(
        Filter(
            "directory_id",
            "Only groups of this directory.",
            lambda value: DirectoryGroupRow.directory_id == value,
            example="directory_01ECAZ4NV9QMV47GW873HDCX74",
        ),
    ),
)
