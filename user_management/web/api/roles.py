"""Roles of the environment are made and changed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.roles import resource
from user_management.services.workos.commands import roles
from user_management.web.api.writes import Write


class RoleCreate(BaseModel):
    """A role to be, without permissions yet."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"slug": "billing", "name": "Billing", "description": "Pays the bills"}]},
    )

    slug: str = Field(min_length=1, description="Its name in code, for good.")
    name: str = Field(min_length=1)
    description: str | None = None
    resource_type_slug: str | None = None


class RoleUpdate(BaseModel):
    """What is to change of a role."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"name": "Invoices"}]})

    name: str | None = None
    description: str | None = Field(None, description="Null takes it away.")


class RolePermissions(BaseModel):
    """The permissions a role is to have, and no others."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"permissions": ["billing:view", "billing:manage"]}]}
    )

    permissions: list[str] = Field(description="Slugs of permissions.")


class RolePermission(BaseModel):
    """One permission more for a role."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"slug": "billing:manage"}]})

    slug: str = Field(min_length=1, description="The slug of the permission.")


OF = "/{id}/permissions"

WRITES = (
    Write(resource, RoleCreate, roles.create),
    Write(resource, RoleUpdate, roles.update, "/{id}", "update", by_slug=True),
    Write(resource, RolePermissions, roles.set_permissions, OF, "set_permissions_of", by_slug=True),
    Write(resource, RolePermission, roles.add_permission, OF, "add_permission_to", by_slug=True),
)
