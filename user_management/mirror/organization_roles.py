"""Organization roles: what people may do in one organization that made a role of its own."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert


class OrganizationRoleRow(Mirrored):
    """A role of an organization as stored; events name it by organization and slug."""

    __tablename__ = "organization_roles"

    organization_id: Mapped[str | None]
    slug: Mapped[str | None]


by_age(OrganizationRoleRow)
by(OrganizationRoleRow, "organization_id", OrganizationRoleRow.organization_id)
by(OrganizationRoleRow, "slug", OrganizationRoleRow.slug)


def own(parent: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any] | None:
    """A role of an organization's list, told whose it is; None for the environment's, which are in every list."""
    if said.get("type", "OrganizationRole") != "OrganizationRole":
        return None
    return {**said, "object": "organization_role", "organization_id": parent["organization_id"]}


class OrganizationRole(BaseModel):
    """A role of an organization as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "organization_role",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "slug": "org-billing",
                    "name": "Billing",
                    "description": None,
                    "resource_type_slug": "organization",
                    "permissions": ["billing:manage"],
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["organization_role", "role"]
    id: str | None = None
    organization_id: str
    slug: str
    name: str
    description: str | None = None
    type: str | None = None
    resource_type_slug: str | None = None
    permissions: list[str] = []
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="organization_roles",
    object="organization_role",
    row=OrganizationRoleRow,
    shape=OrganizationRole,
    listing=Listing(
        ("authorization", "organizations", "{organization_id}", "roles"),
        per="organizations",
        by="organization_id",
        one=("{slug}",),
        item=own,
        whole=True,
    ),
    events={
        "organization_role.created": upsert,
        "organization_role.updated": upsert,
        "organization_role.deleted": tombstone,
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    key=("organization_id", "slug"),
    follows={"permissions": "slug"},
    rest_only=frozenset({"id", "type"}),
    filters=(
        Filter(
            "organization_id",
            "Only roles of this organization.",
            lambda value: OrganizationRoleRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "slug",
            "Only roles with this slug.",
            lambda value: OrganizationRoleRow.slug == value,
            example="org-billing",
        ),
    ),
)
