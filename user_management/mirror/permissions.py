"""Permissions: what roles are made of."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import tombstone, upsert


class PermissionRow(Mirrored):
    """A permission as stored."""

    __tablename__ = "permissions"

    slug: Mapped[str | None]


by_age(PermissionRow)
by(PermissionRow, "slug", PermissionRow.slug)


class Permission(BaseModel):
    """A permission as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "permission",
                    "id": "perm_01HXYZ123456789ABCDEFGHIJ",
                    "slug": "users:manage",
                    "name": "Manage users",
                    "description": None,
                    "system": False,
                    "resource_type_slug": "organization",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["permission"]
    id: str
    slug: str
    name: str
    description: str | None = None
    system: bool = False
    resource_type_slug: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="permissions",
    object="permission",
    row=PermissionRow,
    shape=Permission,
    listing=Listing(("authorization", "permissions"), one=("{slug}",)),
    events={
        "permission.created": upsert,
        "permission.updated": upsert,
        "permission.deleted": tombstone,
    },
    filters=(
        Filter(
            "slug",
            "Only the permission with this slug.",
            lambda value: PermissionRow.slug == value,
            example="users:manage",
        ),
    ),
)
