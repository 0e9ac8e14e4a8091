"""How often each caller may ask: so many requests in a minute that begins with the first of them.

Counted in the memory of each worker process, which is given its share of what all of them allow.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 60
"""Seconds."""
REMEMBERED = 10_000
"""Callers counted at once; beyond, whoever began first is forgotten."""


@dataclass(slots=True)
class Window:
    """How often somebody asked in the minute that ends at `ends`."""

    ends: float
    count: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What is left to a caller until so many seconds have passed; `over` if it was not enough."""

    left: int
    seconds: int
    over: bool


class Rates:
    """The requests of each caller; without a limit nothing is counted."""

    def __init__(self, name: str, limit: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self.name, self.limit, self.now = name, limit, now
        self.windows: dict[str, Window] = {}
        self.policy = (b"ratelimit-policy", f'"{name}";q={limit};w={WINDOW}'.encode())

    def spend(self, who: str) -> Spent:
        """Count one request of a caller."""
        now = self.now()
        window = self.windows.get(who)
        if window is None or window.ends <= now:
            window = self.begin(who, now)
        window.count += 1
        left = self.limit - window.count
        return Spent(max(0, left), math.ceil(window.ends - now), over=left < 0)

    def begin(self, who: str, now: float) -> Window:
        """A new minute, and none of those that are over; windows stand in the order of their ends."""
        self.windows.pop(who, None)
        while self.windows:
            eldest = next(iter(self.windows))
            if self.windows[eldest].ends > now and len(self.windows) < REMEMBERED:
                break
            del self.windows[eldest]
        window = self.windows[who] = Window(now + WINDOW)
        return window

    def headers(self, spent: Spent) -> list[tuple[bytes, bytes]]:
        """What the caller is told of it, as draft-ietf-httpapi-ratelimit-headers words it."""
        return [self.policy, (b"ratelimit", f'"{self.name}";r={spent.left};t={spent.seconds}'.encode())]


def share(limit: int, workers: int) -> int:
    """What one of several worker processes allows; 0, which is no limit, stays so."""
    return math.ceil(limit / workers)
