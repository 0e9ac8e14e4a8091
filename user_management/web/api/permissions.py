"""Permissions are made, changed and removed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.permissions import resource
from user_management.services.workos.commands import permissions
from user_management.web.api.writes import Write

EITHER = "The `id` may be the permission's slug."


class PermissionCreate(BaseModel):
    """A permission to be."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"slug": "billing:manage", "name": "Manage the bills"}]}
    )

    slug: str = Field(min_length=1, description="Its name in code, for good.")
    name: str = Field(min_length=1)
    description: str | None = None
    resource_type_slug: str | None = None


class PermissionUpdate(BaseModel):
    """What is to change of a permission."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"name": "Manage invoices"}]})

    name: str | None = None
    description: str | None = Field(None, description="Null takes it away.")


WRITES = (
    Write(resource, PermissionCreate, permissions.create),
    Write(resource, PermissionUpdate, permissions.update, "/{id}", "update", by_slug=True, told=EITHER),
    Write(
        resource, None, permissions.delete, "/{id}", "delete", by_slug=True,
        told=f"{EITHER} It is taken from every role; events tell the copy of that.",
    ),
)  # fmt: skip
