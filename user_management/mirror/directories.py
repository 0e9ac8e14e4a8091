"""Directories: where an organization keeps its people, and pushes them from."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert


class DirectoryRow(Mirrored):
    """A directory as stored."""

    __tablename__ = "directories"

    organization_id: Mapped[str | None]


by_age(DirectoryRow)
by(DirectoryRow, "organization_id", DirectoryRow.organization_id)

STATES = {"active": "linked", "inactive": "unlinked"}
"""Events and lists have words of their own for two states; a list's are served."""


def as_listed(data: dict[str, Any]) -> dict[str, Any]:
    """A directory as WorkOS's list words it."""
    return {**data, "state": STATES.get(str(data.get("state")), data.get("state"))}


class Directory(BaseModel):
    """A directory as served, in the words of WorkOS's list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "directory",
                    "id": "directory_01ECAZ4NV9QMV47GW873HDCX74",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "external_key": "sPa12dwRQ",
                    "type": "okta scim v2.0",
                    "state": "linked",
                    "name": "Northern Anchor",
                    "domain": "northern-anchor.example",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["directory"]
    id: str
    organization_id: str | None = None
    external_key: str | None = None
    type: str
    state: str
    name: str
    domain: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="directories",
    object="directory",
    row=DirectoryRow,
    shape=Directory,
    listing=Listing(("directories",)),
    events={
        "dsync.activated": upsert.of(as_listed),
        "dsync.deleted": tombstone.of(as_listed),
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    rest_only=frozenset({"metadata", "domain"}),
    filters=(
        Filter(
            "organization_id",
            "Only directories of this organization.",
            lambda value: DirectoryRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
    ),
)
