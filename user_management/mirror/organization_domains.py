"""Organization domains: which e-mail domains an organization owns."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, under, upsert


class OrganizationDomainRow(Mirrored):
    """A domain as stored."""

    __tablename__ = "organization_domains"

    organization_id: Mapped[str | None]
    domain: Mapped[str | None]
    state: Mapped[str | None]


by_age(OrganizationDomainRow)
by(OrganizationDomainRow, "organization_id", OrganizationDomainRow.organization_id)
by(OrganizationDomainRow, "domain", OrganizationDomainRow.domain)
by(OrganizationDomainRow, "state", OrganizationDomainRow.state)


class OrganizationDomain(BaseModel):
    """A domain as served, in WorkOS's words; its verification token is a secret and is not kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "organization_domain",
                    "id": "org_domain_01EHWNCE74X7JSDV0X3SZ3KJNZ",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "domain": "northern-anchor.example",
                    "state": "verified",
                    "verification_strategy": "dns",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["organization_domain"]
    id: str
    organization_id: str
    domain: str
    state: str | None = None
    verification_prefix: str | None = None
    verification_token: str | None = None
    verification_strategy: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="organization_domains",
    object="organization_domain",
    row=OrganizationDomainRow,
    shape=OrganizationDomain,
    listing=Listing(
        ("organizations", "{organization_id}"),
        per="organizations",
        by="organization_id",
        one=("/", "organization_domains", "{id}"),
        within="domains",
        whole=True,
    ),
    events={
        "organization_domain.created": upsert,
        "organization_domain.updated": upsert,
        "organization_domain.verified": upsert,
        "organization_domain.verification_failed": upsert.of(under("organization_domain")),
        "organization_domain.deleted": tombstone,
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    filters=(
        Filter(
            "organization_id",
            "Only domains of this organization.",
            lambda value: OrganizationDomainRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "domain",
            "Only this domain.",
            lambda value: OrganizationDomainRow.domain == value,
            example="northern-anchor.example",
        ),
        Filter(
            "state",
            "Only domains in this state, such as `verified` or `pending`.",
            lambda value: OrganizationDomainRow.state == value,
            example="verified",
        ),
    ),
)
