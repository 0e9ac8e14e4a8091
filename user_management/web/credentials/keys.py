"""API keys: made here once, kept by whoever calls us; we keep the SHA-256 of each.

A key is 256 random bits. Nobody finds it by trying, so its plain SHA-256 gives nothing away; slow hashes are for words
that people choose, and would only make each request slow.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from user_management.errors import Misconfigured
from user_management.web.scopes import GIVEN, Scope

PREFIX = "umk_"
"""What keys begin with, so that people and scanners know one when they see it."""
SETTING = "USER_MANAGEMENT_API_KEYS"
NAME = re.compile(r"(?!umk_)(?![0-9a-fA-F]{64}$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What keys are called: words that are neither a key nor a digest put in the wrong place."""
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """What we know of a key: what it is called, what it is for, and what its SHA-256 is."""

    name: str
    scope: Scope
    digest: str = field(repr=False)

    @property
    def entry(self) -> str:
        """The key as the settings name it."""
        return f"{self.name}:{self.scope}:{self.digest}"


def new() -> str:
    """A key that never was before."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: bytes) -> str:
    """What is kept of a key."""
    return sha256(key).hexdigest()


def known(keys: Iterable[Key], given: bytes) -> Key | None:
    """Which key this is, if any; it takes as long whichever it is."""
    found, ours = None, digest(given)
    for key in keys:
        if hmac.compare_digest(key.digest, ours):
            found = key
    return found


def parsed(entries: str) -> tuple[Key, ...]:
    """The keys in a comma-separated list of entries; `Misconfigured` names the wrong one and repeats none."""
    words = [word.strip() for word in entries.split(",")]
    found = tuple(entry(number, word) for number, word in enumerate(filter(None, words), 1))
    for n, key in enumerate(found):
        if any(key.digest == other.digest for other in found[:n]):
            raise Misconfigured(f"{SETTING}: {key.name} is a key that stands there already; make a new one.")
    return found


def entry(number: int, word: str) -> Key:
    """The key of one entry."""
    name, *rest = word.split(":")
    if not NAME.fullmatch(name):
        raise Misconfigured(
            f"{SETTING}: entry {number} must be name:scope:digest, as `user-management keys new` prints it; "
            "a name is letters, digits, dots, dashes and underscores, at most 64."
        )
    if len(rest) != 2 or rest[0] not in GIVEN:  # noqa: PLR2004  scope and digest
        raise Misconfigured(f"{SETTING}: {name} must be name:scope:digest with the scope {', '.join(GIVEN)}.")
    if not DIGEST.fullmatch(rest[1].lower()):
        raise Misconfigured(
            f"{SETTING}: {name} must end in the SHA-256 of its key, 64 hexadecimal digits (never the key itself), "
            "as `user-management keys new` prints it."
        )
    return Key(name, Scope(rest[0]), rest[1].lower())
