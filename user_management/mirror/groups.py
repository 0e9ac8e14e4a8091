"""Groups: members of an organization taken together."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert


class GroupRow(Mirrored):
    """A group as stored."""

    __tablename__ = "groups"

    organization_id: Mapped[str | None]


by_age(GroupRow)
by(GroupRow, "organization_id", GroupRow.organization_id)


class Group(BaseModel):
    """A group as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "group",
                    "id": "group_01HXYZ123456789ABCDEFGHIJ",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "name": "Engineering",
                    "description": None,
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["group"]
    id: str
    organization_id: str
    name: str
    description: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="groups",
    object="group",
    row=GroupRow,
    shape=Group,
    listing=Listing(
        ("organizations", "{organization_id}", "groups"),
        per="organizations",
        by="organization_id",
    ),
    events={
        "group.created": upsert,
        "group.updated": upsert,
        "group.deleted": tombstone,
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    filters=(
        Filter(
            "organization_id",
            "Only groups of this organization.",
            lambda value: GroupRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
    ),
)
