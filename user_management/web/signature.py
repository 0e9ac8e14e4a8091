"""WorkOS's signature of a webhook: `WorkOS-Signature: t=<ms since 1970>, v1=<hex HMAC-SHA256 of "t.body">`."""

import hashlib
import hmac
import re
from collections.abc import Sequence

TOLERANCE = 180.0
"""Seconds a signature may be old, or ahead of our clock; WorkOS's own advice."""

MILLISECONDS = re.compile(r"[0-9]{1,15}")


class BadSignature(Exception):
    """The body was not signed by WorkOS just now; the message says what is wrong."""


def parts(header: str) -> tuple[str, list[str]]:
    """The time and the signatures a header names, with or without spaces behind its commas."""
    pairs = [piece.strip().partition("=") for piece in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not MILLISECONDS.fullmatch(times[0]):
        raise BadSignature("the header names no time")
    return times[0], [value for name, _, value in pairs if name == "v1"]


def sign(secret: str, time: str, body: bytes) -> str:
    """The signature of a body at a time (ms since 1970)."""
    return hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()


def check(header: str | None, body: bytes, secrets: Sequence[str], *, now: float) -> None:
    """Refuse with `BadSignature` what none of the secrets has signed within the tolerance of `now` (s since 1970)."""
    if header is None:
        raise BadSignature("there is no WorkOS-Signature header")
    time, given = parts(header)
    expected = [sign(secret, time, body).encode() for secret in secrets]
    if not any(hmac.compare_digest(one.encode(), other) for one in given for other in expected):
        raise BadSignature("the signature is not that of the body under any of our secrets")
    if abs(now - int(time) / 1000) > TOLERANCE:
        raise BadSignature(f"it was signed more than {TOLERANCE:g} s ago, or ahead of our clock")
