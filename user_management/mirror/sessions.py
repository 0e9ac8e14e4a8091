"""Sessions: who is signed in."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Mapped

from user_management.mirror.engine import passing
from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Passing, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, upsert


class SessionRow(Mirrored):
    """A session as stored."""

    __tablename__ = "sessions"

    user_id: Mapped[str | None]
    organization_id: Mapped[str | None]
    status: Mapped[str | None]
    expires_at: Mapped[str | None]


by_age(SessionRow)
by(SessionRow, "user_id", SessionRow.user_id)
by(SessionRow, "organization_id", SessionRow.organization_id)
by(SessionRow, "status", SessionRow.status)

Status = Literal["active", "expired", "revoked"]
PASSING = Passing("status", now="active", then="expired", until="expires_at")
"""WorkOS tells of no session that it expired; when one ends for want of activity cannot be known."""


class Session(BaseModel):
    """A session as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "session",
                    "id": "session_01E4ZCR3C56J083X43JQXF3JK7",
                    "user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "auth_method": "password",
                    "status": "active",
                    "ip_address": "203.0.113.7",
                    "user_agent": "Mozilla/5.0",
                    "expires_at": "2026-12-18T12:40:59.004Z",
                    "ended_at": None,
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["session"]
    id: str
    user_id: str
    organization_id: str | None = None
    auth_method: str
    status: Status
    ip_address: str | None
    user_agent: str | None
    impersonator: dict[str, Any] | None = None
    expires_at: AwareDatetime
    ended_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="sessions",
    object="session",
    row=SessionRow,
    shape=Session,
    listing=Listing(
        ("user_management", "users", "{user_id}", "sessions"),
        per="users",
        by="user_id",
        one=None,
        # WorkOS lists active sessions only, user by user; their events tell of all, from the first one on.
        partial=True,
        wanted=False,
    ),
    events={
        "session.created": upsert,
        "session.revoked": upsert,
        "user.deleted": Cascade(parent="users", by="user_id"),
    },
    columns_from={"expires_at": passing.instant("expires_at")},
    passing=PASSING,
    filters=(
        Filter(
            "user_id",
            "Only sessions of this user.",
            lambda value: SessionRow.user_id == value,
            example="user_01E4ZCR3C56J083X43JQXF3JK5",
        ),
        Filter(
            "organization_id",
            "Only sessions in this organization.",
            lambda value: SessionRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "status",
            "Only sessions with this status; `expired` are those that were active until they expired.",
            passing.among(SessionRow, PASSING),
            type=Status,
            example="active",
        ),
    ),
)
