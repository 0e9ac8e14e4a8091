"""Secrets are taken out before anything is stored: codes, tokens, and URLs that carry them."""

from typing import Any

from user_management.db import jsontext

REDACTED = "[redacted]"
TOO_DEEP = "[nested too deeply]"
DEEPEST = 100
"""How many objects and lists inside each other we store; beyond a few hundred, readers of JSON give up."""

SECRET_KEYS = frozenset(
    "accept_invitation_url access_token authentication_challenge_id client_secret code_verifier "
    "email_verification_token magic_auth_code password password_hash password_reset_token password_reset_url "
    "pending_authentication_token refresh_token secret token verification_token".split()
)
"""Keys whose value is a secret wherever it stands."""

CUSTOMER_OWNED = frozenset({"metadata", "custom_attributes", "raw_attributes"})
"""Keys whose content is the customer's own: what they call a token there is theirs to name."""

CODES = ("magic_auth", "email_verification")
"""Objects whose `code` signs somebody in (elsewhere a `code` is an error's name); a tuple, to be asked for anything."""


TELLING = ("token", "secret", "password", '"code', '_code"', "invitation_url", "challenge_id", "api_key")
"""Parts of the keys above, of which any text that holds a secret holds one."""


def clean(value: Any) -> tuple[Any, str]:
    """The value without secrets, and its text. Most values have none, which their text tells at a glance."""
    try:
        text = jsontext.dumps(value)
    except RecursionError:
        text = ""
    if not text or suspicious(text):
        value = redact(value)
        text = jsontext.dumps(value)
    return value, text


def suspicious(text: str) -> bool:
    """Whether JSON text may hold a secret or be nested too deeply; no secret is overlooked, alarms may be false."""
    for part in TELLING:  # a loop, for this is asked of every object
        if part in text:
            return True
    return text.count("{") + text.count("[") > DEEPEST


def redact(value: Any, depth: int = 0, *, owned: bool = False) -> Any:
    """A copy with a marker for every secret, unless the customer owns it, and for what is nested too deeply."""
    if isinstance(value, dict | list) and depth >= DEEPEST:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: safe(key, item, value, depth + 1, owned=owned) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, depth + 1, owned=owned) for item in value]
    return value


def safe(key: str, item: Any, owner: dict[str, Any], depth: int, *, owned: bool) -> Any:
    """What may be stored under `key` of an object."""
    owned = owned or key in CUSTOMER_OWNED
    return hidden(item) if not owned and secret(key, owner) else redact(item, depth, owned=owned)


def secret(key: str, owner: dict[str, Any]) -> bool:
    """Whether what stands under `key` in this object is a secret."""
    if key == "value":
        return owner.get("object") == "api_key"
    return key in SECRET_KEYS or (key == "code" and owner.get("object") in CODES)


def hidden(value: Any) -> Any:
    """The marker in place of a secret; an absent secret stays null."""
    return None if value is None else REDACTED
