"""Roles that organizations have of their own are made, changed and removed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.organization_roles import resource
from user_management.services.workos.commands import organization_roles
from user_management.web.api.roles import RolePermission, RolePermissions, RoleUpdate
from user_management.web.api.writes import Write


class OrganizationRoleCreate(BaseModel):
    """A role to be, without permissions yet."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"slug": "org-billing", "name": "Billing", "description": None}]}
    )

    name: str = Field(min_length=1)
    slug: str | None = Field(None, description="Made from the name unless told; then a lost answer can be looked for.")
    description: str | None = None
    resource_type_slug: str | None = None


ALL = "/api/organizations/{organization_id}/roles"
ONE = f"{ALL}/{{slug}}"
OF = f"{ONE}/permissions"

WRITES = (
    Write(resource, OrganizationRoleCreate, organization_roles.create, ALL),
    Write(resource, RoleUpdate, organization_roles.update, ONE, "update"),
    Write(resource, None, organization_roles.delete, ONE, "delete", told="WorkOS refuses while somebody has it."),
    Write(resource, RolePermissions, organization_roles.set_permissions, OF, "set_permissions_of"),
    Write(resource, RolePermission, organization_roles.add_permission, OF, "add_permission_to"),
    Write(
        resource, None, organization_roles.remove_permission, f"{OF}/{{permission_slug}}", "remove_permission_from",
        told="Where WorkOS answers without the role, we ask for it, so that the copy shows it.",
    ),
)  # fmt: skip
