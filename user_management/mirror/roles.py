"""Roles: what people may do, in every organization of the environment."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import tombstone, upsert


class RoleRow(Mirrored):
    """A role as stored; it is named by its slug, which is all that events name it by."""

    __tablename__ = "roles"

    slug: Mapped[str | None]


by_age(RoleRow)
by(RoleRow, "slug", RoleRow.slug)


class Role(BaseModel):
    """A role as served, in WorkOS's words. Its name is there as soon as WorkOS was asked for it: events have none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "role",
                    "id": "role_01EHQMYV6MBK39QC5PZXHY59C5",
                    "slug": "admin",
                    "name": "Admin",
                    "description": "Manages the organization",
                    "type": "EnvironmentRole",
                    "resource_type_slug": "organization",
                    "permissions": ["users:manage"],
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["role"]
    id: str | None = None
    slug: str
    name: str | None = None
    description: str | None = None
    type: str | None = None
    resource_type_slug: str | None = None
    permissions: list[str] = []
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="roles",
    object="role",
    row=RoleRow,
    shape=Role,
    listing=Listing(("authorization", "roles"), one=("{slug}",)),
    events={
        "role.created": upsert,
        "role.updated": upsert,
        "role.deleted": tombstone,
    },
    follows={"permissions": "slug"},
    rest_only=frozenset({"id", "name", "description", "type"}),
    key=("slug",),
    lean=frozenset({"role.created", "role.updated"}),
    filters=(
        Filter(
            "slug",
            "Only the role with this slug.",
            lambda value: RoleRow.slug == value,
            example="admin",
        ),
    ),
)
