"""How long to wait after failures: doubling, capped, jittered, and never shorter than WorkOS asks."""

import random
from dataclasses import dataclass

INITIAL = 0.5
"""Seconds after the first failure."""
LONGEST = 3600.0
"""Seconds; what WorkOS asks beyond that is not believed."""
NEARBY = 5.0
"""Seconds a database is left alone at most: it is ours, asking it costs nobody anything, and readers wait for it."""


@dataclass(slots=True)
class Backoff:
    """The failures in a row, and the wait that follows from them."""

    initial: float
    maximum: float
    failures: int = 0

    def reset(self) -> None:
        """Something worked: the next failure is the first again."""
        self.failures = 0

    def next(self, retry_after: float | None = None, *, nearby: bool = False) -> float:
        """The seconds to wait after one more failure, of WorkOS or of what is nearby."""
        self.failures += 1
        maximum = min(self.maximum, NEARBY) if nearby else self.maximum
        return delay(self.failures, self.initial, maximum, retry_after, random.random())  # noqa: S311  jitter is no secret


def delay(failures: int, initial: float, maximum: float, retry_after: float | None, jitter: float) -> float:
    """The wait in seconds after so many failures in a row; `jitter` from 0 to 1 spreads it over its upper half."""
    doubled = min(initial * 2.0 ** min(failures - 1, 30), maximum)
    return max(doubled * (0.5 + jitter / 2), min(retry_after or 0.0, LONGEST) * (1 + jitter / 10))
