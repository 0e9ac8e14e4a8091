"""Signing up and in: WorkOS decides, its answers are handed through, and nothing secret is kept."""

from functools import partial

from user_management.mirror.users import resource
from user_management.services.workos.commands import authentication, users
from user_management.web import admission, endings, grants, problems, usernames, whose
from user_management.web.api import sign_in_bodies as said
from user_management.web.api.writes import Write

auth = partial(Write, resource, tag="auth")

NEXT_STEP = (
    "A 403 with a `pending_authentication_token` is no failure but the next step: repeat this request with the "
    "`grant_type` that `code` asks for (`email_verification_required`, `organization_selection_required`, "
    "`mfa_challenge`, …), the token, and what else it needs. Wrong credentials are a 400, as WorkOS has it. Codes and "
    "refresh tokens work once. The tokens are in this answer only: we keep them, sealed, for nobody but a repeat under "
    "the same `Idempotency-Key`."
)
ENUMERATION = (
    "For an address nobody has, WorkOS says 404: do not show that to the person, or strangers can find out who has an "
    "account with you."
)

OUT = (
    "Whoever is soft deleted is refused with a 403 `soft-deleted`, after WorkOS found them to be who they say; the "
    "session is ended at once, and nobody is told its tokens."
)

STEP = {
    "detail": "The user must choose an organization to finish their authentication.",
    "code": "organization_selection_required",
    "pending_authentication_token": said.TOKEN,
    "organizations": [{"id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY", "name": "Engines"}],
    "user": {"object": "user", "id": "user_01E4ZCR3C56J083X43JQXF3JK5", "email": "marcelina@example.com"},
}
NOBODY, GONE = (problems.NOT_FOUND,), (problems.SOFT_DELETED,)

WRITES = (
    auth(said.Register, users.create, "/api/auth/register", "register", summary="Sign up with a password",
         checks=usernames.wanted, around=usernames.reserved, fails=(problems.USERNAME_TAKEN,),
         told="The same as `POST /api/users`, with a password."),
    auth(said.Login, authentication.authenticate, "/api/auth/login", "login", summary="Sign in, or go on with it",
         sends=grants.by_password_unless_told, around=admission.judged, fails=GONE, reply=said.SignedIn,
         told=f"{NEXT_STEP} {OUT}", leads_on=STEP),
    auth(said.Refresh, authentication.authenticate, "/api/auth/refresh", "refresh", summary="Get fresh tokens",
         sends=grants.refreshing, around=admission.judged, fails=GONE, reply=said.SignedIn,
         told=f"The refresh token may be another one afterwards: keep the one you are given. {OUT}"),
    auth(said.Logout, authentication.end_session, "/api/auth/logout", "logout", summary="End a session",
         around=endings.remembered),
    auth(said.MagicCode, authentication.send_magic_code, "/api/auth/magic-code", "send_magic_code",
         summary="Send a code to sign in with", reply=said.MagicCodeSent,
         told="The code signs its holder in: it is for you and for the person's mailbox."),
    auth(said.Verification, authentication.confirm_verification, "/api/auth/verify-email", "verify_email",
         summary="Prove an e-mail address by a code", names=whose.by_id_or_email, fails=NOBODY,
         checks=whose.named, sends=grants.code_only, reply=said.Inside),
    auth(said.Whose, authentication.send_verification, "/api/auth/resend-verification", "resend_verification",
         summary="Send the code again that proves an e-mail address", names=whose.by_id_or_email, fails=NOBODY,
         checks=whose.named, sends=grants.nothing, reply=said.Inside),
    auth(said.ResetRequest, authentication.request_reset, "/api/auth/request-password-reset", "request_password_reset",
         summary="Ask for a password reset", reply=said.ResetRequested, told=ENUMERATION),
    auth(said.Reset, authentication.complete_reset, "/api/auth/reset-password", "reset_password",
         summary="Set a new password by a token", reply=said.Inside, told="It proves the e-mail address, too."),
)  # fmt: skip
