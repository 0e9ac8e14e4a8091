"""What people do to sign up and in: sign-ins, codes, passwords and addresses that are proven.

Codes and refresh tokens are good for once, so nothing here is sent again of our own accord; the proof of an address is
when its caller repeats it, for a look tells first whether it was done.
"""

from collections.abc import Mapping
from typing import Any

from user_management.services.workos.commands import Command, change
from user_management.services.workos.commands.users import USER

HERE = ("user_management",)


def verified(found: Mapping[str, Any], _fields: Mapping[str, Any]) -> bool:
    """Whether a user's address is verified."""
    return found.get("email_verified") is True


authenticate = Command(
    "post", (*HERE, "authenticate"), shows=None, secret=True, credentials=True, personal=True
)  # fmt: skip
"""The user in the reply is incomplete and is not for the copy."""
end_session = Command("post", (*HERE, "sessions", "revoke"), shows=None)
send_magic_code = Command("post", (*HERE, "magic_auth"), shows=None, secret=True, personal=True, status=201)
request_reset = Command("post", (*HERE, "password_reset"), shows=None, secret=True, personal=True, status=201)
complete_reset = Command("post", (*HERE, "password_reset", "confirm"), shows=("user",), personal=True)
send_verification = Command("post", (*USER, "email_verification", "send"), shows=("user",), personal=True)
confirm_verification = change(
    "post", (*USER, "email_verification", "confirm"), verified, place=USER, shows=("user",), personal=True
)
send_email_change = Command("post", (*USER, "email_change", "send"), shows=("user",), personal=True)
confirm_email_change = Command("post", (*USER, "email_change", "confirm"), shows=("user",), personal=True)
