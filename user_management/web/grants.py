"""Grants: the ways to sign in, each with what it needs; WorkOS's own names for them are long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from user_management.web import problems

URN = "urn:workos:oauth:grant-type:"


@dataclass(frozen=True, slots=True)
class Grant:
    """One way to sign in: WorkOS's name for it, and the fields without which it says nothing."""

    name: str
    needs: tuple[str, ...]


PENDING = "pending_authentication_token"
GRANTS: Mapping[str, Grant] = {
    "password": Grant("password", ("email", "password")),
    "magic_code": Grant(URN + "magic-auth:code", ("email", "code")),
    "refresh_token": Grant("refresh_token", ("refresh_token",)),
    "authorization_code": Grant("authorization_code", ("code",)),
    "email_verification": Grant(URN + "email-verification:code", (PENDING, "code")),
    "organization_selection": Grant(URN + "organization-selection", (PENDING, "organization_id")),
    "mfa_totp": Grant(URN + "mfa-totp", (PENDING, "authentication_challenge_id", "code")),
    "radar_email_challenge": Grant(URN + "radar-email-challenge:code", (PENDING, "radar_challenge_id", "code")),
    "radar_sms_challenge": Grant(URN + "radar-sms-challenge:code", (PENDING, "code")),
}
BY_EITHER_NAME: Mapping[str, Grant] = {**GRANTS, **{grant.name: grant for grant in GRANTS.values()}}
"""Every grant by the short name it has here, and by WorkOS's own."""


def by_password_unless_told(fields: dict[str, Any]) -> dict[str, Any]:
    """A sign-in in WorkOS's words; a problem that names each field its grant lacks."""
    grant = BY_EITHER_NAME[fields.get("grant_type") or "password"]
    missing = [name for name in grant.needs if not fields.get(name)]
    if missing:
        raise problems.invalid([{"field": name, "message": "Field required by this grant_type"} for name in missing])
    return {**fields, "grant_type": grant.name}


def refreshing(fields: dict[str, Any]) -> dict[str, Any]:
    """A refresh in WorkOS's words."""
    return {**fields, "grant_type": "refresh_token"}


def code_only(fields: dict[str, Any]) -> dict[str, Any]:
    """What is left to say to WorkOS once the user is named in the path."""
    return {name: value for name, value in fields.items() if name not in NAMING}


def nothing(_fields: dict[str, Any]) -> None:
    """Nothing is left to say."""


NAMING = frozenset({"user_id", "email"})
"""What names a user in a body."""
