"""API keys of organizations and users are made, ended and removed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.api_keys import resource
from user_management.services.workos.commands import api_keys
from user_management.web.api.writes import Write


class OrganizationApiKeyCreate(BaseModel):
    """A key to be, of an organization."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"name": "Production", "permissions": ["users:view"]}]}
    )

    name: str = Field(min_length=1)
    permissions: list[str] | None = None
    expires_at: str | None = Field(None, description="RFC 3339; never unless told.")


class UserApiKeyCreate(OrganizationApiKeyCreate):
    """A key to be, of a user in an organization."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"name": "Laptop", "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY"}]},
    )

    organization_id: str = Field(min_length=1)


class ApiKeyExpire(BaseModel):
    """When a key is to end."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"expires_at": "2026-12-31T23:59:59.000Z"}]}
    )

    expires_at: str | None = Field(None, description="RFC 3339; now unless told.")


VALUE = "The answer has the key's `value`, this once: nobody keeps it."

WRITES = (
    Write(
        resource, OrganizationApiKeyCreate, api_keys.create_for_organization,
        "/api/organizations/{organization_id}/api_keys", "create_organization",
        summary="Create an API key of an organization at WorkOS", told=VALUE,
    ),
    Write(
        resource, UserApiKeyCreate, api_keys.create_for_user, "/api/users/{user_id}/api_keys", "create_user",
        summary="Create an API key of a user at WorkOS", told=VALUE,
    ),
    Write(resource, ApiKeyExpire, api_keys.expire, "/{id}/expire", "expire"),
    Write(resource, None, api_keys.delete, "/{id}", "delete"),
)  # fmt: skip
