"""What people say to sign up and in, and what they are told: the forms, with examples for the documentation."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.users import User
from user_management.web.api.documents import example_of
from user_management.web.usernames import PATTERN, WORDS

Text = Annotated[str, Field(min_length=1)]
Secret = Annotated[str, Field(min_length=1, description="Never logged and never stored here.")]
Grant = Literal[
    "password", "magic_code", "refresh_token", "authorization_code", "email_verification", "organization_selection",
    "mfa_totp", "radar_email_challenge", "radar_sms_challenge",
    "urn:workos:oauth:grant-type:magic-auth:code", "urn:workos:oauth:grant-type:email-verification:code",
    "urn:workos:oauth:grant-type:organization-selection", "urn:workos:oauth:grant-type:mfa-totp",
    "urn:workos:oauth:grant-type:radar-email-challenge:code", "urn:workos:oauth:grant-type:radar-sms-challenge:code",
]  # fmt: skip
"""The grants of `grants`, each by its short name or by WorkOS's own."""

CLIENT = {"ip_address": "203.0.113.42", "user_agent": "Mozilla/5.0"}
TOKEN = "01HQF3C1W3D8XGQK5T7T0P4V9B"  # noqa: S105  an example


def like(*examples: dict[str, Any]) -> ConfigDict:
    """A form with examples; what else callers say is WorkOS's to judge."""
    return ConfigDict(extra="allow", json_schema_extra={"examples": list(examples)})


class Register(BaseModel):
    """Somebody who signs up with a password."""

    model_config = like(
        {
            "email": "marcelina@example.com",
            "password": "correct horse battery staple",
            "first_name": "Marcelina",
            "last_name": "Davis",
            "metadata": {"username": "marcelina"},
        }
    )

    email: Text
    password: Secret
    first_name: str | None = None
    last_name: str | None = None
    metadata: dict[str, Any] | None = Field(None, description="`username` is unique: it " + WORDS + ".")


class Login(BaseModel):
    """A sign-in, or its next step: which fields it needs is for `grant_type` to say."""

    model_config = like(
        {
            "grant_type": "password",
            "email": "marcelina@example.com",
            "password": "correct horse battery staple",
            **CLIENT,
        },
        {"grant_type": "magic_code", "email": "marcelina@example.com", "code": "123456"},
        {"grant_type": "organization_selection", "pending_authentication_token": TOKEN, "organization_id": "org_01E"},
        {"grant_type": "email_verification", "pending_authentication_token": TOKEN, "code": "123456"},
    )

    grant_type: Grant = Field(
        "password",
        description="`password`: email, password. `magic_code`: email, code. `authorization_code`: code. "
        "`refresh_token`: refresh_token. With the `pending_authentication_token` of a 403, `email_verification`: code; "
        "`organization_selection`: organization_id; `mfa_totp`: authentication_challenge_id, code; "
        "`radar_email_challenge`: radar_challenge_id, code; `radar_sms_challenge`: code. WorkOS's own names "
        "(`urn:workos:oauth:grant-type:…`) are taken as well.",
    )
    email: str | None = None
    password: str | None = Field(None, description="Never logged and never stored here.")
    code: str | None = None
    code_verifier: str | None = None
    refresh_token: str | None = None
    organization_id: str | None = None
    pending_authentication_token: str | None = None
    authentication_challenge_id: str | None = None
    invitation_token: str | None = None
    ip_address: str | None = Field(None, description="Of the person; passed on to WorkOS.")
    user_agent: str | None = Field(None, description="Of the person; passed on to WorkOS.")


class Refresh(BaseModel):
    """A session that goes on, in another organization if told."""

    model_config = like({"refresh_token": "yAjhKk23hJMM3DaR", "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY"})

    refresh_token: Secret
    organization_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class Logout(BaseModel):
    """A session that ends: by its id, which is the `sid` of its access tokens."""

    model_config = like({"session_id": "session_01E4ZCR3C56J083X43JQXF3JK5"})

    session_id: Text


class MagicCode(BaseModel):
    """A code for one sign-in, sent by e-mail."""

    model_config = like({"email": "marcelina@example.com"})

    email: Text
    invitation_token: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class ResetRequest(BaseModel):
    """Somebody who forgot their password."""

    model_config = like({"email": "marcelina@example.com"})

    email: Text


class Reset(BaseModel):
    """A new password, by the token of the e-mail."""

    model_config = like({"token": "Z1uX3RbwcIl5fIGJJJCXXisdI", "new_password": "correct horse battery staple"})

    token: Secret
    new_password: Secret


class Whose(BaseModel):
    """A user, by id or by e-mail address."""

    model_config = like({"user_id": "user_01E4ZCR3C56J083X43JQXF3JK5"}, {"email": "marcelina@example.com"})

    user_id: str | None = None
    email: str | None = None


class Verification(Whose):
    """The code that a user was sent to prove an address."""

    model_config = like({"user_id": "user_01E4ZCR3C56J083X43JQXF3JK5", "code": "123456"})

    code: Secret


class Code(BaseModel):
    """A code that a user was sent."""

    model_config = like({"code": "123456"})

    code: Secret


class NewEmail(BaseModel):
    """The address a user is to have once it is confirmed."""

    model_config = like({"new_email": "marcelina.davis@example.com"})

    new_email: Text


class NewPassword(BaseModel):
    """A new password, from whoever knows the current one."""

    model_config = like(
        {"current_password": "correct horse battery staple", "new_password": "stapled batteries, correctly", **CLIENT}
    )

    current_password: Secret
    new_password: Secret
    ip_address: str | None = None
    user_agent: str | None = None


class NewUsername(BaseModel):
    """The username a user is to have; null takes it away."""

    model_config = like({"username": "marcelina"})

    username: Annotated[str, Field(pattern=PATTERN)] | None = Field(
        description=f"Unique whatever the case: it {WORDS}."
    )


class SoftDelete(BaseModel):
    """The user to delete."""

    model_config = like({"user_id": "user_01E4ZCR3C56J083X43JQXF3JK5"})

    user_id: Text


class SignedIn(BaseModel):
    """A session's tokens. The user is WorkOS's and may lack some keys; `/api/users/{id}` has them all."""

    model_config = like(
        {
            "user": {"object": "user", "id": "user_01E4ZCR3C56J083X43JQXF3JK5", "email": "marcelina@example.com"},
            "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
            "access_token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzAxIn0.c2ln",
            "refresh_token": "yAjhKk23hJMM3DaR",
            "authentication_method": "Password",
        }
    )

    user: dict[str, Any]
    organization_id: str | None = None
    access_token: str
    refresh_token: str
    authentication_method: str | None = None


class Inside(BaseModel):
    """The user as it is now."""

    model_config = like({"user": example_of(User)})

    user: User


class EmailChange(BaseModel):
    """An address that is to change once the code comes back that was sent to the new one."""

    model_config = like(
        {
            "object": "email_change",
            "user": example_of(User),
            "new_email": "marcelina.davis@example.com",
            "expires_at": "2026-11-21T10:40:17.761Z",
            "created_at": "2026-11-21T10:30:17.761Z",
        }
    )

    user: User
    new_email: str


class MagicCodeSent(BaseModel):
    """The code, for callers that send e-mails of their own; WorkOS has sent one if it is set up to."""

    model_config = like(
        {
            "object": "magic_auth",
            "id": "magic_auth_01HQF3C1W3D8XGQK5T7T0P4V9B",
            "user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
            "email": "marcelina@example.com",
            "expires_at": "2026-11-21T10:40:17.761Z",
            "code": "123456",
            "created_at": "2026-11-21T10:30:17.761Z",
            "updated_at": "2026-11-21T10:30:17.761Z",
        }
    )

    id: str
    code: str


class ResetRequested(BaseModel):
    """The token and its address, for callers that send e-mails of their own."""

    model_config = like(
        {
            "object": "password_reset",
            "id": "password_reset_01HQF3C1W3D8XGQK5T7T0P4V9B",
            "user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
            "email": "marcelina@example.com",
            "password_reset_token": "Z1uX3RbwcIl5fIGJJJCXXisdI",
            "password_reset_url": "https://your-app.com/reset-password?token=Z1uX3RbwcIl5fIGJJJCXXisdI",
            "expires_at": "2026-11-21T10:40:17.761Z",
            "created_at": "2026-11-21T10:30:17.761Z",
        }
    )

    id: str
    password_reset_token: str
    password_reset_url: str
