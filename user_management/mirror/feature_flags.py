"""Feature flags: what is switched on, for whom WorkOS decides."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import tombstone, upsert


class FeatureFlagRow(Mirrored):
    """A flag as stored."""

    __tablename__ = "feature_flags"

    slug: Mapped[str | None]


by_age(FeatureFlagRow)
by(FeatureFlagRow, "slug", FeatureFlagRow.slug)


class FeatureFlag(BaseModel):
    """A flag as served, in WorkOS's words; its rules are not told by WorkOS's list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "feature_flag",
                    "id": "flag_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "slug": "advanced-analytics",
                    "name": "Advanced analytics",
                    "description": None,
                    "owner": None,
                    "tags": ["reports"],
                    "enabled": True,
                    "default_value": False,
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["feature_flag"]
    id: str
    slug: str
    name: str
    description: str | None = None
    owner: dict[str, Any] | None = None
    tags: list[str] = []
    enabled: bool
    default_value: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="feature_flags",
    object="feature_flag",
    row=FeatureFlagRow,
    shape=FeatureFlag,
    listing=Listing(("feature-flags",), one=("{slug}",)),
    events={
        "flag.created": upsert,
        "flag.updated": upsert,
        "flag.rule_updated": upsert,
        "flag.deleted": tombstone,
    },
    filters=(
        Filter(
            "slug",
            "Only the flag with this slug.",
            lambda value: FeatureFlagRow.slug == value,
            example="advanced-analytics",
        ),
    ),
)
