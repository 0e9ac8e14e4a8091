"""What a storm will do and when, by its seed: pure, so that a seed names a plan for good."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What can happen to a process, to a connection or to the source."""

    LISTENER_KILLED = "listener killed"
    LISTENER_FROZEN = "listener frozen"
    LISTENER_RESTARTED = "listener restarted"
    API_KILLED = "API killed"
    PARENT_KILLED = "API parent killed"
    API_RESTARTED = "API restarted"
    WORKER_KILLED = "API worker killed"
    WORKER_FROZEN = "API worker frozen"
    DATABASE_CRASHED = "PostgreSQL crashed"
    BACKEND_KILLED = "a PostgreSQL backend killed"
    BACKENDS_TERMINATED = "PostgreSQL backends terminated"
    DATABASE_CUT = "connections to PostgreSQL cut"
    DATABASE_HUNG = "connections to PostgreSQL hung"
    DATABASE_SLOW = "connections to PostgreSQL slow"
    SOURCE_RESTARTED = "source restarted"
    SOURCE_CUT = "connections to the source cut"
    SOURCE_HUNG = "connections to the source hung"
    SOURCE_SLOW = "connections to the source slow"
    WEATHER = "source misbehaves"
    BACKFILL = "backfill asked for"


WEIGHTS = {
    Kind.LISTENER_KILLED: 4, Kind.LISTENER_FROZEN: 3, Kind.LISTENER_RESTARTED: 1,
    Kind.API_KILLED: 1, Kind.PARENT_KILLED: 1, Kind.API_RESTARTED: 1, Kind.WORKER_KILLED: 2, Kind.WORKER_FROZEN: 2,
    Kind.DATABASE_CRASHED: 2, Kind.BACKEND_KILLED: 1, Kind.BACKENDS_TERMINATED: 3,
    Kind.DATABASE_CUT: 3, Kind.DATABASE_HUNG: 2, Kind.DATABASE_SLOW: 1,
    Kind.SOURCE_RESTARTED: 2, Kind.SOURCE_CUT: 3, Kind.SOURCE_HUNG: 2, Kind.SOURCE_SLOW: 1,
    Kind.WEATHER: 5, Kind.BACKFILL: 2,
}  # fmt: skip
"""How often each comes, next to the others."""

LENGTHS = {
    Kind.LISTENER_FROZEN: (0.3, 4.0),
    Kind.WORKER_FROZEN: (0.3, 3.0),
    Kind.DATABASE_HUNG: (0.2, 2.5),
    Kind.SOURCE_RESTARTED: (0.0, 3.0),
    Kind.SOURCE_HUNG: (0.2, 2.5),
    Kind.WEATHER: (0.5, 3.0),
}
"""Seconds each lasts, at least and at most."""

BRIEF = (0.0, 1.0)
EVERY = 0.8
"""Seconds between two faults on average; that of some lasts into that of others."""

FAULTS = ("429", "429-bare", "500", "503", "html", "truncated", "reset", "slow", "lost-reply", "repeated-page")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that happens: `at` and `length` in seconds, `which` of several it hits, `dice` for what is its own."""

    at: float
    kind: Kind
    length: float
    which: int
    dice: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm: its faults in the order of their times, and the world they fall on."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]
    users: int
    activity: float
    hold_back: float


def plan(seed: int, *, seconds: float) -> Plan:
    """The storm of a seed: as many faults as fit into its seconds, by dice."""
    dice = Random(f"storm {seed}")  # noqa: S311  a test's dice
    at, faults = dice.uniform(0, 1), []
    while at < seconds:
        faults.append(fault(dice, at))
        at += dice.expovariate(1 / EVERY)
    return Plan(
        seed, seconds, tuple(faults), users=dice.choice((60, 250, 600)), activity=dice.choice((20.0, 60.0, 150.0)),
        hold_back=dice.choice((0.05, 0.2, 0.5)),
    )  # fmt: skip


def fault(dice: Random, at: float) -> Fault:
    """One fault, by dice."""
    (kind,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
    return Fault(at, kind, dice.uniform(*LENGTHS.get(kind, BRIEF)), dice.randrange(2), dice.randrange(2**31))


def weather(seed: int) -> dict[str, float]:
    """How the source misbehaves: the share of its answers that each fault takes, of two or three faults."""
    dice = Random(seed)  # noqa: S311  a test's dice
    chosen = dice.sample(FAULTS, dice.choice((2, 3)))
    return {name: round(dice.uniform(0.1, 0.3), 2) for name in chosen}
