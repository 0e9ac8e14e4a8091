"""What can be done to invitations."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.commands import Command, Trace, change, creation
from user_management.services.workos.matching import state

INVITATIONS = ("user_management", "invitations")
INVITATION = (*INVITATIONS, "{id}")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new invitation shows: in the list of its address, beside those to other organizations, or to none."""
    email = fields.get("email")
    if isinstance(email, str):
        params = {"email": email.strip().lower()}
        yield Trace("email", INVITATIONS, params, names=("email", "organization_id"))


send = creation(INVITATIONS, traces, {"email_already_invited", "email_already_invited_to_organization"}, secret=True)
resend = Command("post", (*INVITATION, "resend"), secret=True)
revoke = change(
    "post", (*INVITATION, "revoke"), state("state", "revoked"), place=INVITATION,
    taken=frozenset({"invite_revoked", "invite_not_pending"}),
)  # fmt: skip
accept = change(
    "post", (*INVITATION, "accept"), state("state", "accepted"), place=INVITATION,
    taken=frozenset({"invite_accepted", "invite_not_pending"}),
)  # fmt: skip
