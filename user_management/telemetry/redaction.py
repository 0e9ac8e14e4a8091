"""What a log line must not show: secrets never, e-mail addresses only where that was asked for.

A line may hold anything, so this hides what looks like a secret, and rather too much than too little. (What the
journal stores is decided by the names that WorkOS gives to its secrets, and by those alone: `journal/redaction.py`.)
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
TOO_DEEP = "[nested too deeply]"
DEEPEST = 20
"""How many values inside each other a line shows."""

TELLING = (
    "passwd", "password", "passphrase", "secret", "token", "apikey", "api_key", "api-key", "private_key", "cookie",
    "authorization", "credential", "code_verifier", "magic_auth_code", "invitation_url", "reset_url", "challenge_id",
)  # fmt: skip
"""Parts of names; what is called by such a name is a secret."""

OURS = "credential"
"""But for this one: the name of whoever asks, in our own lines. What a secret looks like is hidden there as well."""

NAMED = re.compile(
    rf"(?P<name>(?:{'|'.join(TELLING)})[\w-]{{0,30}}\\{{0,3}}[\"']?\s{{0,5}}[=:]\s{{0,5}}(?:(?:bearer|basic)\s+)?+)"
    r"(?!(?:none|null|true|false)\b)"
    r"(?:(?P<escaped>\\{1,3}[\"']).*?(?P=escaped)"
    r"|(?P<quote>[\"'])(?:\\.|(?!(?P=quote))[^\\\n])*+(?P=quote)"
    r"|\\{0,3}[\"'][^\s,;&]*"
    r"|[^\s,;&\"'(){}\[\]<>]+)",
    re.IGNORECASE,
)
"""A secret that is called by its name: `password=…`, `"client_secret": "…"` (escaped or cut off too), `Token: …`."""

PASSWORD_IN_URL = re.compile(r"(://[^\s:/?#\"<>]*:)(?!\d+(?:[/?#,\s]|$))[^\s\"<>]{0,512}@")
"""The password of a URL (and not its port), also one with characters that should have been encoded."""

SHAPED = re.compile(r"(?<![^\W_])(?:sk|umk)_[\w-]+|(?<![\w-])eyJ[\w-]*(?:\.[\w-]+)+")
"""What is a secret by its looks: the keys of WorkOS, our own, and the JSON Web Tokens it hands out."""

BEARER = re.compile(r"\b(bearer\s+)[\w.~+/-]+=*", re.IGNORECASE)

EMAIL = re.compile(
    r"""(?:"[^"\s]{1,64}"|(?<![\w.+%~!#$*^-])[\w.+%~!#$*^-]+(?:'[\w.+%~!#$*^-]+){0,3})"""
    r"(?:@|%40)[\w-]+(?:\.[\w-]+)+"
)
"""An e-mail address, also encoded for a URL; its letters may be those of any language."""


def redact(value: Any, *, personal_data: bool = False, depth: int = 0) -> Any:
    """A copy of any value without secrets and, unless personal data may be shown, without e-mail addresses."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value, personal_data=personal_data)
    if depth >= DEEPEST:
        return TOO_DEEP
    if isinstance(value, Mapping):
        return {
            text(str(key), personal_data=personal_data): hidden(item)
            if secret(str(key))
            else redact(item, personal_data=personal_data, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | AbstractSet):
        return [redact(item, personal_data=personal_data, depth=depth + 1) for item in value]
    return text(written(value), personal_data=personal_data)


def text(words: str, *, personal_data: bool = False) -> str:
    """A text without secrets and, unless personal data may be shown, without e-mail addresses."""
    if "://" in words:
        words = PASSWORD_IN_URL.sub(rf"\1{REDACTED}@", words)
    if "sk_" in words or "mk_" in words or "eyJ" in words:
        words = SHAPED.sub(REDACTED, words)
    lowered = words.lower()
    if "bearer" in lowered:
        words = BEARER.sub(rf"\1{REDACTED}", words)
    if telling(lowered):
        words = NAMED.sub(rf"\g<name>\g<escaped>\g<quote>{REDACTED}\g<quote>\g<escaped>", words)
    if not personal_data and ("@" in words or "%40" in words):
        words = EMAIL.sub(REDACTED, words)
    return words


def telling(lowered: str) -> bool:
    """Whether lower-case words have a part that tells of a secret."""
    return any(part in lowered for part in TELLING)


@lru_cache(maxsize=1024)
def secret(name: str) -> bool:
    """Whether what is called so is a secret."""
    return name != OURS and telling(name.lower())


def hidden(value: Any) -> Any:
    """The marker in place of a secret; that there is none is no secret."""
    return value if value is None or isinstance(value, bool) else REDACTED


def written(value: Any) -> str:
    """Anything else in words: a time as RFC 3339 has it, the rest as Python shows it."""
    return str(value.isoformat()) if hasattr(value, "isoformat") else repr(value)
