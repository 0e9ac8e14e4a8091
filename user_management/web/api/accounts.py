"""What people do with their account: password, username, address; and deleting it so that it can be restored."""

from functools import partial

from user_management.mirror.users import resource
from user_management.services.workos.commands import authentication, users
from user_management.web import grants, passwords, problems, soft_deletion, usernames
from user_management.web.api import sign_in_bodies as said
from user_management.web.api.auth import ENUMERATION
from user_management.web.api.writes import Write
from user_management.web.whose import by_id

user = partial(Write, resource)

CHECKED = (
    "WorkOS is asked to sign the user in with the current password; the session this opens is ended at once. A wrong "
    "one is a 400 `invalid_credentials`, as WorkOS has it. Where WorkOS asks for a code by e-mail first "
    "(`email_verification_required`), or wants another way to sign in, the password cannot be checked: you are told "
    "that refusal, and nothing is changed."
)
REVERSIBLE = (
    "Deactivates every active membership, ends every session, and notes `deleted_at` in the metadata, in this order. "
    "`restore` undoes it. The user stays at WorkOS and in the copy, but is not signed in here any more. When "
    "it stops half-way a 504, or WorkOS's refusal, says so: repeat it, and it goes on."
)

WRITES = (
    user(said.NewPassword, users.update, "/{id}/password", "change_password", summary="Change a password",
         sends=passwords.new, around=passwords.proven, told=CHECKED),
    user(said.NewUsername, users.update, "/{id}/username", "change_username", summary="Change a username",
         sends=usernames.in_metadata, around=usernames.reserved, fails=(problems.USERNAME_TAKEN,),
         told="Kept in WorkOS's metadata. A name that somebody else has, or is about to have, is a 409."),
    user(said.NewEmail, authentication.send_email_change, "/{id}/email-change", "send_email_change",
         summary="Send a code to a new e-mail address", reply=said.EmailChange),
    user(said.Code, authentication.confirm_email_change, "/{id}/email-change/confirm", "confirm_email_change",
         summary="Change an e-mail address by a code", reply=said.Inside),
    user(None, authentication.send_verification, "/{id}/email-verification/send", "send_email_verification",
         summary="Send a code that proves an e-mail address", reply=said.Inside),
    user(said.Code, authentication.confirm_verification, "/{id}/email-verification/confirm",
         "confirm_email_verification", summary="Prove an e-mail address by a code", reply=said.Inside),
    user(said.ResetRequest, authentication.request_reset, "/password-reset/request", "request_reset",
         summary="Ask for a password reset", reply=said.ResetRequested,
         told=f"The same as `POST /api/auth/request-password-reset`. {ENUMERATION}"),
    user(said.Reset, authentication.complete_reset, "/password-reset/complete", "complete_reset",
         summary="Set a new password by a token", reply=said.Inside,
         told="The same as `POST /api/auth/reset-password`."),
    user(None, users.update, "/{id}/soft-delete", "soft_delete", method="POST",
         summary="Delete so that it can be undone", sends=grants.nothing, around=soft_deletion.withdrawn,
         told=REVERSIBLE),
    user(None, users.update, "/{id}/restore", "restore", method="POST", summary="Undo a soft deletion",
         sends=grants.nothing, around=soft_deletion.given_back,
         told="Reactivates exactly the memberships that the soft deletion deactivated, and takes its mark off."),
    user(said.SoftDelete, users.update, "/soft_delete", "soft_delete_by_id", method="POST",
         summary="Delete so that it can be undone", names=by_id, fails=(problems.NOT_FOUND,),
         sends=grants.nothing, around=soft_deletion.withdrawn, told=REVERSIBLE),
)  # fmt: skip
