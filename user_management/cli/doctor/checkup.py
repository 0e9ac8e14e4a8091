"""What a probe says."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How it is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at, how it is, what was found and, unless it is good, what to do."""

    name: str
    health: Health
    found: str
    fix: str = ""


def good(name: str, found: str) -> Checkup:
    """All is well."""
    return Checkup(name, Health.GOOD, found)


def bad(name: str, found: str, fix: str) -> Checkup:
    """It must be mended."""
    return Checkup(name, Health.BAD, found, fix)


def doubtful(name: str, found: str, fix: str) -> Checkup:
    """It may be meant so."""
    return Checkup(name, Health.DOUBTFUL, found, fix)


def unknown(name: str, found: str, fix: str = "") -> Checkup:
    """It could not be looked at."""
    return Checkup(name, Health.UNKNOWN, found, fix)
