"""Organizations: the companies whose people sign in."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Computed, Index
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from user_management.mirror.engine import search
from user_management.mirror.engine.resource import Listing, Mirrored, Resource, by_age, by_external_id
from user_management.mirror.engine.verbs import tombstone, upsert

WORDS = search.words(
    f"((\"left\"(COALESCE(name, ''::text), {search.LONGEST}) || ' '::text) || CASE WHEN ({search.READABLE}) THEN "
    '"left"((jsonb_path_query_array((body)::jsonb, \'$."domains"[*]."domain"\'::jsonpath))::text, 500) '
    "ELSE ''::text END)"
)


class OrganizationRow(Mirrored):
    """An organization as stored."""

    __tablename__ = "organizations"

    name: Mapped[str | None]
    external_id: Mapped[str | None]
    words: Mapped[Any] = mapped_column(TSVECTOR, Computed(WORDS, persisted=True), nullable=True)


by_age(OrganizationRow)
by_external_id(OrganizationRow)
Index("ix_organizations_words", OrganizationRow.words, postgresql_using="gin")


class EmbeddedDomain(BaseModel):
    """A domain of an organization; its verification token is a secret and is not kept."""

    object: Literal["organization_domain"] = "organization_domain"
    id: str
    organization_id: str
    domain: str
    state: str | None = None
    verification_prefix: str | None = None
    verification_token: str | None = None
    verification_strategy: str | None = None


class Organization(BaseModel):
    """An organization as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "organization",
                    "id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "name": "Northern Anchor",
                    "domains": [
                        {
                            "object": "organization_domain",
                            "id": "org_domain_01EHWNCE74X7JSDV0X3SZ3KJNZ",
                            "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                            "domain": "northern-anchor.example",
                            "state": "verified",
                        }
                    ],
                    "metadata": {"tier": "gold"},
                    "external_id": "account-77",
                    "allow_profiles_outside_organization": False,
                    "created_at": "2026-01-12T08:26:18.755Z",
                    "updated_at": "2026-10-03T17:05:41.910Z",
                }
            ]
        }
    )

    object: Literal["organization"]
    id: str
    name: str
    domains: list[EmbeddedDomain]
    metadata: dict[str, Any] = {}
    external_id: str | None
    stripe_customer_id: str | None = None
    allow_profiles_outside_organization: bool | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="organizations",
    object="organization",
    row=OrganizationRow,
    shape=Organization,
    listing=Listing(("organizations",), essential=True),
    has_external_id=True,
    filters=(
        search.searched(
            OrganizationRow.words,
            "Only organizations in whose name or domains there are all these words, or words that begin so; upper or "
            "lower case. Punctuation parts words.",
            "north",
        ),
    ),
    events={
        "organization.created": upsert,
        "organization.updated": upsert,
        "organization.deleted": tombstone,
    },
    rest_only=frozenset({"allow_profiles_outside_organization"}),
    # WorkOS leaves out the id where there is none, and never says null; the setting may have changed with what is told.
    follows={"stripe_customer_id": "name", "allow_profiles_outside_organization": "name"},
)
