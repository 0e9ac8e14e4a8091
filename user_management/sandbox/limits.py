from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from starlette.requests import Request

from user_management.sandbox import errors


@dataclass(frozen=True, slots=True)
class Rule:
    """So many requests in so many milliseconds."""

    name: str
    requests: int
    window: int


EVERYTHING: Final = Rule("all", 6_000, 60_000)
READS: Final = Rule("user_management reads", 1_000, 10_000)
WRITES: Final = Rule("user_management writes", 500, 10_000)
DELETIONS: Final = Rule("organization deletions", 50, 60_000)
SIGN_INS: Final = Rule("sign-ins of one address", 10, 60_000)
MAGIC_AUTHS: Final = Rule("magic codes to one address", 3, 60_000)
PASSWORD_RESETS: Final = Rule("password resets of one address", 3, 60_000)
EMAIL_VERIFICATIONS: Final = Rule("verifications of one user", 3, 60_000)
DIRECTORY_USERS: Final = Rule("users of one directory", 4, 1_000)
_REMEMBERED: Final = 10_000


class Limits:
    """The rate limits WorkOS publishes, counted in fixed windows."""

    def __init__(self, *, enabled: bool, now: Callable[[], int]) -> None:
        self.enabled = enabled
        self._now = now
        self._windows: dict[tuple[str, str], list[int]] = {}

    def count(self, method: str, path: str) -> None:
        """Count one request; 429 with the seconds until its window ends when there were too many."""
        if not self.enabled:
            return
        self._count(EVERYTHING)
        if path.startswith("/user_management/"):
            self._count(READS if method == "GET" else WRITES)
        elif method == "DELETE" and path.startswith("/organizations/"):
            self._count(DELETIONS)

    def count_for(self, rule: Rule, key: str) -> None:
        """Count one request of those a rule allows per address, user or challenge."""
        if self.enabled:
            self._count(rule, key)

    def count_directory(self, directory_id: str) -> None:
        """Count one listing of the users of a directory."""
        if self.enabled:
            self._count(DIRECTORY_USERS, directory_id)

    def _count(self, rule: Rule, key: str = "") -> None:
        now = self._now()
        window = self._windows.get((rule.name, key))
        if window is None or now >= window[0]:
            self._open(rule, key, now)
        elif window[1] >= rule.requests:
            raise errors.rate_limited(-(-(window[0] - now) // 1000))
        else:
            window[1] += 1

    def _open(self, rule: Rule, key: str, now: int) -> None:
        """Begin a window with its first request; windows long over are forgotten now and then."""
        if len(self._windows) > _REMEMBERED:
            self._windows = {name: window for name, window in self._windows.items() if window[0] > now}
        self._windows[rule.name, key] = [now + rule.window, 1]


def limits_of(request: Request) -> Limits:
    """The limits behind a request."""
    return cast("Limits", request.app.state.limits)
