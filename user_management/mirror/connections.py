"""Connections: how people of an organization sign in with their own identity provider."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, tombstone, upsert


class ConnectionRow(Mirrored):
    """A connection as stored."""

    __tablename__ = "connections"

    organization_id: Mapped[str | None]
    connection_type: Mapped[str | None]


by_age(ConnectionRow)
by(ConnectionRow, "organization_id", ConnectionRow.organization_id)
by(ConnectionRow, "connection_type", ConnectionRow.connection_type)


class Connection(BaseModel):
    """A connection as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "connection",
                    "id": "conn_01E4ZCR3C56J083X43JQXF3JK5",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "connection_type": "OktaSAML",
                    "name": "Northern Anchor",
                    "state": "active",
                    "status": "linked",
                    "domains": [
                        {
                            "object": "connection_domain",
                            "id": "conn_domain_01EHWNFTAFCF3CQAE5A9Q0P1YB",
                            "domain": "northern-anchor.example",
                        }
                    ],
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["connection"]
    id: str
    organization_id: str | None = None
    connection_type: str
    name: str
    state: str
    status: str | None = None
    domains: list[dict[str, Any]] = []
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="connections",
    object="connection",
    row=ConnectionRow,
    shape=Connection,
    listing=Listing(("connections",)),
    events={
        "connection.activated": upsert,
        "connection.deactivated": upsert,
        "connection.deleted": tombstone,
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    filters=(
        Filter(
            "organization_id",
            "Only connections of this organization.",
            lambda value: ConnectionRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "connection_type",
            "Only connections of this type.",
            lambda value: ConnectionRow.connection_type == value,
            example="OktaSAML",
        ),
    ),
)
