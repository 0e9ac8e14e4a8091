"""Organizations are created, changed and deleted at WorkOS; the copy shows it at once."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.organizations import resource
from user_management.services.workos.commands import organizations
from user_management.web.api.writes import Write

DOMAINS = "Each with `domain` and `state` (`pending` or `verified`)."


class OrganizationCreate(BaseModel):
    """An organization to be."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "name": "Northern Anchor",
                    "domain_data": [{"domain": "northern-anchor.example", "state": "pending"}],
                    "external_id": "account-77",
                    "metadata": {"tier": "gold"},
                }
            ]
        },
    )

    name: str = Field(min_length=1, description="Need not be unique.")
    domain_data: list[dict[str, Any]] | None = Field(None, description=DOMAINS)
    external_id: str | None = Field(
        None, description="Your own id of the organization; without one, a lost answer cannot be looked for."
    )
    metadata: dict[str, Any] | None = None
    allow_profiles_outside_organization: bool | None = None


class OrganizationUpdate(BaseModel):
    """What is to change of an organization. What is left out stays; null takes away what can be taken away."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"name": "Northern Anchor Ltd", "metadata": {"tier": "platinum"}}]},
    )

    name: str | None = None
    domain_data: list[dict[str, Any]] | None = Field(None, description=f"All its domains. {DOMAINS}")
    external_id: str | None = Field(None, description="Your own id of the organization; null takes it away.")
    metadata: dict[str, Any] | None = Field(
        None, description="Merged key by key: null takes a key away, and `{}` takes all."
    )
    stripe_customer_id: str | None = None
    allow_profiles_outside_organization: bool | None = None


WRITES = (
    Write(resource, OrganizationCreate, organizations.create),
    Write(resource, OrganizationUpdate, organizations.update, "/{id}", "update"),
    Write(
        resource, OrganizationUpdate, organizations.update, "/{id}", "update", method="PATCH", told="The same as `PUT`."
    ),
    Write(resource, None, organizations.delete, "/{id}", "delete", told="Its memberships end with it."),
)
