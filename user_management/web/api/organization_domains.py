"""Domains of organizations are added, verified and removed at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.organization_domains import resource
from user_management.services.workos.commands import organization_domains
from user_management.web.api.writes import Write


class OrganizationDomainCreate(BaseModel):
    """A domain to be, and whose."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY", "domain": "northern-anchor.example"}]
        },
    )

    organization_id: str = Field(min_length=1)
    domain: str = Field(min_length=1)


WRITES = (
    Write(
        resource, OrganizationDomainCreate, organization_domains.create,
        told="The answer has the `verification_token` for the DNS record; the copy never has.",
    ),
    Write(
        resource, None, organization_domains.verify, "/{id}/verify", "verify",
        told="Has WorkOS look for the DNS record; it may find it later.",
    ),
    Write(resource, None, organization_domains.delete, "/{id}", "delete"),
)  # fmt: skip
