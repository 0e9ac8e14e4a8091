"""Invitations are sent, sent again, taken back and accepted at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.invitations import resource
from user_management.services.workos.commands import invitations
from user_management.web.api.writes import Write

TOKEN = "The answer has the `token` and the `accept_invitation_url`; the copy never has."  # noqa: S105  a sentence


class InvitationSend(BaseModel):
    """Whom to invite, and to what."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "email": "marcelina@example.com",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "role_slug": "member",
                    "expires_in_days": 7,
                }
            ]
        },
    )

    email: str = Field(min_length=1)
    organization_id: str | None = Field(None, description="Without one, the invitation is to the application.")
    role_slug: str | None = None
    expires_in_days: int | None = Field(None, description="1 to 30; 7 unless told.")
    inviter_user_id: str | None = None
    locale: str | None = None


class InvitationResend(BaseModel):
    """How to send an invitation again."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"locale": "en"}]})

    locale: str | None = None


WRITES = (
    Write(resource, InvitationSend, invitations.send, "", "send", told=TOKEN),
    Write(resource, InvitationResend, invitations.resend, "/{id}/resend", "resend", told=TOKEN),
    Write(resource, None, invitations.revoke, "/{id}/revoke", "revoke"),
    Write(
        resource, None, invitations.accept, "/{id}/accept", "accept",
        told="For the user who has the invited address: the membership begins or becomes active. Nobody is signed in.",
    ),
)  # fmt: skip
