"""What people are mailed to prove that an address is theirs: six digits, or a token in a link; each works once."""

from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest
from itertools import islice
from typing import Any, Final

from user_management.sandbox import clock

MAGIC_AUTH: Final = "magic_auth"
EMAIL_VERIFICATION: Final = "email_verification"
EMAIL_CHANGE: Final = "email_change"
PASSWORD_RESET: Final = "password_reset"  # noqa: S105 - the name of a kind

LIFETIMES: Final = {
    MAGIC_AUTH: 10 * clock.MINUTE,
    EMAIL_VERIFICATION: 10 * clock.MINUTE,
    EMAIL_CHANGE: 10 * clock.MINUTE,
    PASSWORD_RESET: 60 * clock.MINUTE,
}
"""Ten minutes are what WorkOS documents for magic codes; it publishes none of the others, which are our assumption."""

ATTEMPTS: Final = 5
"""How many wrong guesses a code survives: our assumption, as WorkOS publishes no number."""

_RESET_PAGE: Final = "https://your-app.com/reset-password?token="
_KEPT: Final = 10_000


class Verdict(Enum):
    """What is to be said of an attempt to redeem a code."""

    GOOD = auto()
    MISSING = auto()
    INCORRECT = auto()
    USED = auto()
    EXPIRED = auto()
    EXHAUSTED = auto()


@dataclass(slots=True)
class Code:
    """One code or token, whom it is for, the address it went to, and what became of it."""

    id: str
    kind: str
    user_id: str
    email: str
    secret: str
    created: int
    wrong: int = 0
    used: bool = False

    @property
    def expires(self) -> int:
        """The moment from which it works no more."""
        return self.created + LIFETIMES[self.kind]

    def lean(self) -> dict[str, Any]:
        """Its object in the shape of events, without the secret; a password reset has no `updated_at`."""
        created_at = clock.stamp(self.created)
        shown = {
            "object": self.kind,
            "id": self.id,
            "user_id": self.user_id,
            "email": self.email,
            "expires_at": clock.stamp(self.expires),
            "created_at": created_at,
        }
        return shown if self.kind == PASSWORD_RESET else shown | {"updated_at": created_at}

    def shown(self) -> dict[str, Any]:
        """Its object as the REST API shows it, with the secret."""
        if self.kind != PASSWORD_RESET:
            return self.lean() | {"code": self.secret}
        return self.lean() | {"password_reset_token": self.secret, "password_reset_url": _RESET_PAGE + self.secret}

    def letter(self) -> dict[str, Any]:
        """What its owner finds in the mail."""
        return {
            "kind": self.kind,
            "to": self.email,
            "user_id": self.user_id,
            "token" if self.kind == PASSWORD_RESET else "code": self.secret,
            "expires_at": clock.stamp(self.expires),
            "used": self.used,
        }


def judge(code: Code | None, given: str, now: int) -> Verdict:
    """Whether what is given redeems a code; who has guessed too often is not told whether the last guess was right."""
    if code is None:
        return Verdict.MISSING
    if code.wrong >= ATTEMPTS:
        return Verdict.EXHAUSTED
    if not compare_digest(code.secret.encode(), given.encode()):
        return Verdict.INCORRECT
    if code.used:
        return Verdict.USED
    return Verdict.GOOD if now < code.expires else Verdict.EXPIRED


def redeem(code: Code | None, given: str, now: int) -> Verdict:
    """The verdict, which a code remembers: it works once, and wrong guesses count."""
    verdict = judge(code, given, now)
    if code is not None:
        code.used = code.used or verdict is Verdict.GOOD
        code.wrong += verdict is Verdict.INCORRECT
    return verdict


class Codes:
    """The codes sent lately, by id, by whom they were sent to, and by what is in them."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._newest: dict[tuple[str, str], str] = {}

    def add(self, code: Code) -> None:
        """Keep a new code, and forget the oldest when there are many."""
        self._codes[code.id] = code
        self._newest[code.kind, code.user_id] = code.id
        for oldest in list(islice(self._codes, max(0, len(self._codes) - _KEPT))):
            self._drop(oldest)

    def get(self, kind: str, code_id: str) -> Code | None:
        """The code of a kind with an id."""
        code = self._codes.get(code_id)
        return code if code is not None and code.kind == kind else None

    def newest(self, kind: str, user_id: str) -> Code | None:
        """The code of a kind that a user was sent last."""
        return self._codes.get(self._newest.get((kind, user_id), ""))

    def holding(self, kind: str, secret: str) -> Code | None:
        """The code of a kind with a secret that is given without saying whose it is."""
        found = (code for code in self._codes.values() if code.kind == kind)
        return next((code for code in found if compare_digest(code.secret.encode(), secret.encode())), None)

    def sent(self, email: str | None = None) -> list[Code]:
        """What was sent to an address, or to all of them, the newest first."""
        return [code for code in reversed(self._codes.values()) if email in {None, code.email}]

    def forget(self, user_id: str) -> None:
        """Drop the codes of a user who is no more."""
        for code in [code for code in self._codes.values() if code.user_id == user_id]:
            self._drop(code.id)

    def _drop(self, code_id: str) -> None:
        code = self._codes.pop(code_id)
        if self._newest.get((code.kind, code.user_id)) == code_id:
            del self._newest[code.kind, code.user_id]
