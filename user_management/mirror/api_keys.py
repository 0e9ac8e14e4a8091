"""API keys: the keys that organizations and their users made. Their values are never here."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert, without


class ApiKeyRow(Mirrored):
    """A key as stored."""

    __tablename__ = "api_keys"

    organization_id: Mapped[str | None]
    user_id: Mapped[str | None]


by_age(ApiKeyRow)
by(ApiKeyRow, "organization_id", ApiKeyRow.organization_id)
by(ApiKeyRow, "user_id", ApiKeyRow.user_id)


def organization(body: Mapping[str, Any]) -> Any:
    """The organization a key belongs to, its own or its user's."""
    owner = owner_of(body)
    return owner.get("id") if owner.get("type") == "organization" else owner.get("organization_id")


def user(body: Mapping[str, Any]) -> Any:
    """The user a key belongs to; none for an organization's own."""
    owner = owner_of(body)
    return owner.get("id") if owner.get("type") == "user" else None


def owner_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Whoever a key belongs to."""
    owner = body.get("owner")
    return owner if isinstance(owner, dict) else {}


class ApiKey(BaseModel):
    """A key as served, in WorkOS's words, without its value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "api_key",
                    "id": "api_key_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "owner": {"type": "organization", "id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY"},
                    "name": "Production",
                    "obfuscated_value": "sk_…3456",
                    "last_used_at": None,
                    "expires_at": None,
                    "permissions": ["users:view"],
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["api_key"]
    id: str
    owner: dict[str, Any]
    name: str
    obfuscated_value: str
    last_used_at: AwareDatetime | None
    expires_at: AwareDatetime | None = None
    permissions: list[str] = []
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="api_keys",
    object="api_key",
    row=ApiKeyRow,
    shape=ApiKey,
    listing=Listing(
        ("organizations", "{organization_id}", "api_keys"),
        per="organizations",
        by="organization_id",
        one=None,
        # Whether an organization's list holds the keys of its users is not documented: absence says nothing.
        partial=True,
    ),
    events={
        "api_key.created": upsert.of(without("previous_attributes")),
        "api_key.updated": upsert.of(without("previous_attributes")),
        "api_key.revoked": tombstone.of(without("previous_attributes")),
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
        "user.deleted": Cascade(parent="users", by="user_id"),
    },
    columns_from={"organization_id": organization, "user_id": user},
    rising=frozenset({"last_used_at"}),
    filters=(
        Filter(
            "organization_id",
            "Only keys of this organization and of its users.",
            lambda value: ApiKeyRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "user_id",
            "Only keys of this user.",
            lambda value: ApiKeyRow.user_id == value,
            example="user_01E4ZCR3C56J083X43JQXF3JK5",
        ),
    ),
)
