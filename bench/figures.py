"""Figures: what was measured, beside what was promised."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A promise of the issue: its words, and the bound a figure must reach or stay under."""

    words: str
    bound: float
    at_least: bool = True

    def met(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value >= self.bound if self.at_least else value <= self.bound

    def missed_by(self, value: float) -> float:
        """The part of the bound that is missing, or too much."""
        return abs(value - self.bound) / self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value: what it is of, at how many users, in words, and what it was to be (None: it only informs)."""

    name: str
    users: int
    value: float
    words: str
    target: Target | None = None


def median(values: Iterable[float]) -> float:
    """The middle of some values."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def milliseconds(seconds: float) -> str:
    """Seconds in words, as milliseconds."""
    return f"{seconds * 1000:,.2f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"  # noqa: PLR2004  enough digits
