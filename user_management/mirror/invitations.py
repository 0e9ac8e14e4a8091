"""Invitations: who was asked to join."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import func
from sqlalchemy.orm import Mapped

from user_management.mirror.engine import passing
from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Passing, Resource, by, by_age
from user_management.mirror.engine.verbs import Cascade, upsert


class InvitationRow(Mirrored):
    """An invitation as stored."""

    __tablename__ = "invitations"

    email: Mapped[str | None]
    organization_id: Mapped[str | None]
    state: Mapped[str | None]
    expires_at: Mapped[str | None]
    inviter_user_id: Mapped[str | None]
    accepted_user_id: Mapped[str | None]


by_age(InvitationRow)
by(InvitationRow, "email", func.lower(InvitationRow.email))
by(InvitationRow, "organization_id", InvitationRow.organization_id)
by(InvitationRow, "state", InvitationRow.state)
by(InvitationRow, "inviter_user_id", InvitationRow.inviter_user_id)
by(InvitationRow, "accepted_user_id", InvitationRow.accepted_user_id)

State = Literal["pending", "accepted", "expired", "revoked"]
PASSING = Passing("state", now="pending", then="expired", until="expires_at")
"""WorkOS tells of no invitation that it expired."""


class Invitation(BaseModel):
    """An invitation as served, in WorkOS's words; its token and its URL are secrets and are not kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "invitation",
                    "id": "invitation_01E4ZCR3C5A4QZ2Z2JQXGKZJ9E",
                    "email": "grace@example.com",
                    "state": "pending",
                    "accepted_at": None,
                    "revoked_at": None,
                    "expires_at": "2026-11-25T12:40:59.004Z",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "inviter_user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                    "accepted_user_id": None,
                    "role_slug": "member",
                    "created_at": "2026-03-02T09:15:30.002Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["invitation"]
    id: str
    email: str
    state: State
    accepted_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    expires_at: AwareDatetime
    organization_id: str | None
    inviter_user_id: str | None
    accepted_user_id: str | None = None
    role_slug: str | None = None
    token: str | None = None
    accept_invitation_url: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


resource = Resource(
    name="invitations",
    object="invitation",
    row=InvitationRow,
    shape=Invitation,
    listing=Listing(("user_management", "invitations")),
    events={
        "invitation.created": upsert,
        "invitation.accepted": upsert,
        "invitation.resent": upsert,
        "invitation.revoked": upsert,
        "organization.deleted": Cascade(parent="organizations", by="organization_id"),
    },
    columns_from={"expires_at": passing.instant("expires_at")},
    passing=PASSING,
    filters=(
        Filter(
            "email",
            "Only invitations of this e-mail address, upper or lower case.",
            lambda email: func.lower(InvitationRow.email) == func.lower(email),
            example="grace@example.com",
        ),
        Filter(
            "organization_id",
            "Only invitations to this organization.",
            lambda value: InvitationRow.organization_id == value,
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
        Filter(
            "state",
            "Only invitations in this state; `expired` are those that were pending until they expired.",
            passing.among(InvitationRow, PASSING),
            type=State,
            example="pending",
        ),
        Filter(
            "inviter_user_id",
            "Only invitations by this user.",
            lambda value: InvitationRow.inviter_user_id == value,
            example="user_01E4ZCR3C56J083X43JQXF3JK5",
        ),
        Filter(
            "accepted_user_id",
            "Only invitations that this user accepted.",
            lambda value: InvitationRow.accepted_user_id == value,
            example="user_01E4ZCR3C56J083X43JQXF3JK5",
        ),
    ),
)
