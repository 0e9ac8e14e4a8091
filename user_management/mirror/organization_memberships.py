"""Organization memberships: who belongs to which organization, in which role."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import ARRAY, Text, any_
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Embed, Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert

Status = Literal["active", "inactive", "pending"]


class OrganizationMembershipRow(Mirrored):
    """A membership as stored. Its user and organization may be unknown yet, so there are no foreign keys."""

    __tablename__ = "organization_memberships"

    user_id: Mapped[str | None]
    organization_id: Mapped[str | None]
    status: Mapped[str | None]


by_age(OrganizationMembershipRow)
by(OrganizationMembershipRow, "user_id", OrganizationMembershipRow.user_id)
by(OrganizationMembershipRow, "organization_id", OrganizationMembershipRow.organization_id)


class RoleSlug(BaseModel):
    """A role, by its slug."""

    slug: str


class OrganizationMembership(BaseModel):
    """A membership as served, in WorkOS's words; `user` and `organization_name` are always those of today."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "organization_membership",
                    "id": "om_01E4ZCR3C56J083X43JQXF3JK6",
                    "user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "organization_name": "Northern Anchor",
                    "status": "active",
                    "role": {"slug": "member"},
                    "roles": [{"slug": "member"}],
                    "custom_attributes": {},
                    "directory_managed": False,
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-03-02T09:15:30.002Z",
                    "user": {
                        "object": "user",
                        "id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                        "email": "marcelina@example.com",
                    },
                }
            ]
        }
    )

    object: Literal["organization_membership"]
    id: str
    user_id: str
    organization_id: str
    organization_name: str | None = None
    status: Status
    role: RoleSlug
    roles: list[RoleSlug] = []
    custom_attributes: dict[str, Any] = {}
    directory_managed: bool = False
    created_at: AwareDatetime
    updated_at: AwareDatetime
    user: dict[str, Any] | None = None


resource = Resource(
    name="organization_memberships",
    object="organization_membership",
    row=OrganizationMembershipRow,
    shape=OrganizationMembership,
    listing=Listing(
        ("user_management", "organization_memberships"),
        # Without `statuses` WorkOS lists active memberships only, and the others would look deleted.
        parameters={"statuses": "active,inactive,pending"},
        per="organizations",
        parameter="organization_id",
        essential=True,
    ),
    events={
        "organization_membership.created": upsert,
        "organization_membership.updated": upsert,
        "organization_membership.deleted": tombstone,
        # Whether WorkOS tells of each membership that ends with its user or organization is not documented.
        "user.deleted": Cascade(parent="users", by="user_id"),
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    follows={"roles": "role"},
    embeds=(
        Embed("organization_name", table="organizations", by="organization_id", value="to_json(name)::text"),
        Embed("user", table="users", by="user_id", value="body::text"),
    ),
    filters=(
        Filter(
            "user_id",
            "Only memberships of this user.",
            lambda user_id: OrganizationMembershipRow.user_id == user_id,
            example="user_01E4ZCR3C56J083X43JQXF3JK5",
        ),
        Filter(
            "organization_id",
            "Only memberships of this organization.",
            lambda organization_id: OrganizationMembershipRow.organization_id == organization_id,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "statuses",
            "Only memberships with one of these statuses, comma-separated. As at WorkOS, only active ones by default.",
            lambda statuses: OrganizationMembershipRow.status == any_(statuses),
            type=list[Status],
            default=("active",),
            example="active,pending",
            sql_type=ARRAY(Text),
        ),
    ),
)
